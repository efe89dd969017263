"""Starts the workers, keeps them running, and stands for all of them: signals and admin API."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, ProcessCollector
from prometheus_client.core import Metric

from llmitm.admin import front
from llmitm.config.address import Address
from llmitm.config.load import Loaded
from llmitm.config.reload import PolicyWatcher
from llmitm.metrics import TABLE
from llmitm.workers.channel import Job
from llmitm.workers.plan import of_worker
from llmitm.workers.port import held
from llmitm.workers.process import COMMAND, Worker
from llmitm.workers.readings import Readings
from llmitm.workers.restarts import Restarts
from llmitm.workers.totals import Tally, Totals

logger = logging.getLogger(__name__)

_RESTARTS = "llmitm_worker_restarts_total"
_MARGIN = 10.0  # seconds beyond its drain_timeouts that a worker may take to end


class CannotServe(Exception):
    """The gateway can't start or go on; the message says why and what to do."""


class Supervisor:
    """Runs `workers` of the configuration. `ready` is set once all of them accept calls."""

    def __init__(
        self, loaded: Loaded, env: Mapping[str, str], command: Sequence[str] = COMMAND
    ) -> None:
        self.loaded = loaded
        self.gateway = loaded.gateway
        self.drained: set[str] = set()
        self.stopping = asyncio.Event()
        self.ready = asyncio.Event()
        self._command = command
        self._watcher = PolicyWatcher(loaded, env, self._follow, lambda _: None)
        self._workers: dict[int, Worker] = {}
        self._fault: CannotServe | None = None
        self._totals = Totals()
        self._own = Tally()
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        spec = next(spec for spec in TABLE if spec.name == _RESTARTS)
        self._restarts = Counter(spec.name, spec.help, registry=registry)
        self._readings = Readings(registry)

    async def run(self) -> None:
        """Serve until `end`. Raises CannotServe where no worker can, or one dies on and on."""
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="llmitm-")))
            self.address = _hold(stack, self.gateway.listen.gateway)
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(self._watcher.run())
                try:
                    await self._serve(tasks, folder)
                finally:
                    watching.cancel()
        if self._fault is not None:
            raise self._fault

    def end(self) -> None:
        """Let every worker drain and end; when asked again, end at once."""
        self.stopping.set()
        for worker in self._workers.values():
            worker.terminate()

    def reload(self) -> None:
        """Let every worker read the policies again."""
        self._reloading = asyncio.create_task(self._watcher.reload_now())
        for worker in self._workers.values():
            if worker.serving:
                worker.send_signal(signal.SIGHUP)

    @property
    def serving(self) -> list[Worker]:
        """The workers that accept calls."""
        return [worker for _, worker in sorted(self._workers.items()) if worker.serving]

    @property
    def sockets(self) -> list[Path]:
        """Where the workers that accept calls answer the admin API."""
        return [worker.job.admin_socket for worker in self.serving]

    async def metrics(self) -> Iterable[Metric]:
        """The newest numbers of all workers, dead ones included, as one gateway's."""
        workers = list(self._workers.values())
        await asyncio.gather(*(worker.collect() for worker in workers if worker.ready.is_set()))
        self._own.take(self._readings.everything())
        return self._totals.metrics([self._own, *(worker.tally for worker in workers)])

    async def _serve(self, tasks: asyncio.TaskGroup, folder: Path) -> None:
        try:
            async with front.serving(self) as self.admin_address:
                # One alone makes or migrates the database; its failure is told once.
                keeping = [tasks.create_task(self._keep(0, folder))]
                if await self._until_ready([0]):
                    rest = range(1, self.gateway.workers)
                    keeping += [tasks.create_task(self._keep(index, folder)) for index in rest]
                    if await self._until_ready(rest):
                        self._announce()
                await asyncio.wait(keeping)
        except OSError as fault:
            self._fault = CannotServe(f"can't listen on {self.gateway.listen.admin}: {fault}")

    def _announce(self) -> None:
        self.ready.set()
        logger.info(
            "gateway on %s, admin on %s, workers: %d",
            self.address, Address(*self.admin_address), self.gateway.workers,
        )  # fmt: skip
