"""One of the N places of a gateway: a worker, and the next one when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable

from llmitm.workers.process import Worker
from llmitm.workers.restarts import Restarts

logger = logging.getLogger(__name__)


class GaveUp(Exception):
    """The gateway can't start or go on; the message says why."""


class Slot:
    """`worker` is the one that runs now; `ready` is set once there was one that accepted calls."""

    def __init__(
        self,
        index: int,
        start: Callable[[int], Awaitable[Worker]],
        begin: Callable[[int, Worker], Awaitable[None]],
        lost: Callable[[Worker], None],
        stopping: asyncio.Event,
    ) -> None:
        self.index = index
        self.ready = asyncio.Event()
        self.worker: Worker | None = None
        self._start = start
        self._begin = begin
        self._lost = lost
        self._stopping = stopping
        self._restarts = Restarts()

    async def keep(self, go: asyncio.Event, patience: float) -> None:
        """Keep a worker running until `stopping`, and `patience` seconds longer at most.

        It begins once `go` is set. Raises GaveUp where it can't, or dies again and again.
        """
        while not self._stopping.is_set():
            self.worker = worker = await self._start(self.index)
            await _either(go, self._stopping)
            if self._stopping.is_set():
                worker.terminate()
            await self._begin(self.index, worker)
            code = await self._end_of(worker, patience)
            self._lost(worker)
            if not self._stopping.is_set():
                await self._rest(self._after(worker, code))
            elif code and worker.ready.is_set():
                logger.error("worker %d %s instead of draining", worker.pid, _told(code))

    async def _end_of(self, worker: Worker, patience: float) -> int:
        ended = asyncio.ensure_future(worker.ended())
        others = [
            asyncio.create_task(self._stopping.wait()),
            asyncio.create_task(self._note_ready(worker)),
        ]
        await asyncio.wait([ended, others[0]], return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait([ended], timeout=patience)
        if not ended.done():
            logger.error("worker %d doesn't end; killed", worker.pid)
            worker.send_signal(signal.SIGKILL)
        for other in others:
            other.cancel()
        return await ended

    async def _note_ready(self, worker: Worker) -> None:
        await worker.ready.wait()
        self.ready.set()

    def _after(self, worker: Worker, code: int) -> float:
        """Seconds until the next worker."""
        why = worker.failure or _told(code)
        if not self.ready.is_set():
            raise GaveUp(worker.failure or f"worker {worker.pid} {why} before it was ready.")
        delay = self._restarts.after(worker.served)
        if delay is None:
            raise GaveUp(
                f"A worker dies again and again, the last one {why}. The gateway ends: "
                "its log above says more."
            )
        logger.error("worker %d is gone: %s; the next one in %.2f s", worker.pid, why, delay)
        return delay

    async def _rest(self, delay: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), delay)


async def _either(*events: asyncio.Event) -> None:
    """Wait until one of these is set."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()


def _told(code: int) -> str:
    """What an exit code says, in words."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
