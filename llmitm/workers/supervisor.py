"""Keeps the workers running, and stands for all of them: signals, metrics, admin API."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, ProcessCollector
from prometheus_client.core import Metric

from llmitm.admin import front
from llmitm.config.address import Address
from llmitm.config.load import Loaded
from llmitm.config.reload import PolicyWatcher
from llmitm.config.schema import Listen, Policies
from llmitm.metrics import TABLE
from llmitm.workers import plan
from llmitm.workers.channel import Job
from llmitm.workers.port import held
from llmitm.workers.process import COMMAND, Worker
from llmitm.workers.readings import Readings
from llmitm.workers.slot import GaveUp, Slot
from llmitm.workers.totals import Tally, Totals

logger = logging.getLogger(__name__)

_RESTARTS = "llmitm_worker_restarts_total"
# A worker drains, lets calls settle and writes the ledger, each for up to drain_timeout.
_PHASES, _MARGIN = 3, 10.0


class Supervisor:
    """Runs the workers of a configuration. `ready` is set once all of them accept calls."""

    address: Address
    admin_address: tuple[str, int]
    listen: Listen  # with the ports that the system chose

    def __init__(
        self, loaded: Loaded, env: Mapping[str, str], command: Sequence[str] = COMMAND
    ) -> None:
        self.loaded = loaded
        self.drained: set[str] = set()
        self.ready = asyncio.Event()
        self.stopping = asyncio.Event()
        self._command = command
        self._watcher = PolicyWatcher(loaded, env, self._follow, lambda _: None)
        self._reloading: asyncio.Task[bool] | None = None
        self._slots = [
            Slot(index, self._start, self._begin, self._lost, self.stopping)
            for index in range(loaded.gateway.workers)
        ]
        self._begun = 0
        self._totals = Totals()
        self._own = _Own()

    async def run(self) -> None:
        """Serve until `end`. Raises GaveUp where no worker can start, or one dies on and on."""
        async with contextlib.AsyncExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="llmitm-"))
            self._folder = Path(folder)
            listen = self.loaded.gateway.listen
            with _listening(listen.gateway):
                self.address = stack.enter_context(held(listen.gateway))
            with _listening(listen.admin):
                self.admin_address = await stack.enter_async_context(front.serving(self))
            self.listen = listen.model_copy(
                update={
                    "gateway": self.address,
                    "admin": Address(*self.admin_address),
                    "inspector": await self._inspect(stack),
                }
            )
            tasks = [asyncio.create_task(self._announce()), asyncio.create_task(self._watch())]
            stack.push_async_callback(_cancel, tasks)
            await self._keep()

    def end(self) -> None:
        """Let every worker drain and end; when asked again, end at once."""
        self.stopping.set()
        for worker in self.workers:
            worker.terminate()

    def reload(self) -> None:
        """Let every worker read the policies again."""
        self._reloading = asyncio.create_task(self._watcher.reload_now())
        for worker in self.workers:
            if worker.serving:
                worker.send_signal(signal.SIGHUP)

    @property
    def sockets(self) -> list[Path]:
        """Where the workers that accept calls answer the admin API."""
        return [worker.admin_socket for worker in self.workers if worker.serving]

    def job(self, index: int) -> Job:
        """What the next worker of a place is to do."""
        # The newest edit may have been refused: the next worker is to see and say that, too.
        seen = self._watcher.seen if self._watcher.errors is None else {}
        return Job(
            plan.of_worker(self.loaded, index, self.listen),
            self._folder / f"{self._begun}.sock",
            dict(seen),
            frozenset(self.drained),
        )

    async def metrics(self) -> Iterable[Metric]:
        """The newest numbers of all workers, dead ones included, as one gateway's."""
        workers = [worker for worker in self.workers if worker.ready.is_set()]
        await asyncio.gather(*(worker.collect() for worker in workers))
        tallies = [worker.tally for worker in workers]
        return self._totals.metrics([self._own.tally(), *tallies])

    @property
    def workers(self) -> list[Worker]:
        """The workers that run, or ran last, in the order of their places."""
        return [slot.worker for slot in self._slots if slot.worker is not None]

    async def _inspect(self, stack: contextlib.AsyncExitStack) -> Address | None:
        """Serve the inspector of all workers, where there is one; returns its address."""
        address = self.loaded.gateway.listen.inspector
        if address is None:
            return None
        from llmitm.inspector import front  # mitmproxy's web UI, which few need here

        with _listening(address):
            return await stack.enter_async_context(front.serving(self, address))

    async def _keep(self) -> None:
        patience = _PHASES * self.loaded.gateway.drain_timeout + _MARGIN
        # The first alone makes or migrates the database; if it can't begin, no other has to.
        at_once = asyncio.Event()
        at_once.set()
        first, *others = self._slots
        tasks = [
            asyncio.create_task(first.keep(at_once, patience)),
            *(asyncio.create_task(slot.keep(first.ready, patience)) for slot in others),
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        if not self.stopping.is_set():
            self.end()
        await asyncio.wait(tasks)
        for task in tasks:
            task.result()

    async def _start(self, index: int) -> Worker:
        if self._slots[index].ready.is_set():
            self._own.restarts.inc()
        return await Worker.start(self._command)

    async def _begin(self, index: int, worker: Worker) -> None:
        self._begun += 1
        await worker.begin(self.job(index))

    def _lost(self, worker: Worker) -> None:
        self._totals.retire(worker.tally)
        worker.tally = Tally()

    def _follow(self, policies: Policies) -> None:
        """Workers follow the policies themselves; this is for those that start later."""
        self.loaded = replace(self.loaded, policies=policies)

    async def _watch(self) -> None:
        await self._watcher.run()

    async def _announce(self) -> None:
        for slot in self._slots:
            await slot.ready.wait()
        self.ready.set()
        logger.info(
            "the gateway listens on %s, its admin API on %s, workers: %d",
            self.address, Address(*self.admin_address), len(self._slots),
        )  # fmt: skip


class _Own:
    """The supervisor's own metrics: its process, and how often workers were started again."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        spec = next(spec for spec in TABLE if spec.name == _RESTARTS)
        self.restarts = Counter(spec.name, spec.help, registry=registry)
        self._readings = Readings(registry)
        self._tally = Tally()

    def tally(self) -> Tally:
        self._tally.take(self._readings.everything())
        return self._tally


@contextlib.contextmanager
def _listening(address: Address) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise GaveUp(f"can't listen on {address}: {fault.strerror}") from fault


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def serve(loaded: Loaded, env: Mapping[str, str]) -> None:
    """Run a gateway of several workers until SIGTERM or SIGINT. Raises GaveUp."""
    for warning in plan.warnings(loaded):
        logger.warning(warning)
    supervisor = Supervisor(loaded, env)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.end)
    loop.add_signal_handler(signal.SIGHUP, supervisor.reload)
    await supervisor.run()
