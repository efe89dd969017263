"""Where calls wait for room in a limit, instead of being refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from math import inf

from llmitm.policy.accounts import Grant, Shortage
from llmitm.policy.fair_queue import FairQueue
from llmitm.policy.limits import Limit

BOUND = 1000  # calls that wait for one limit
# How often those that wait look again: room that other processes make is not announced.
LOOK_SECONDS = 0.1

Take = Callable[[], Awaitable[Grant | Shortage]]
GiveBack = Callable[[Grant], Awaitable[None]]


@dataclass(slots=True, eq=False)
class Waiter:
    """A call that waits: what it does to get in, and where it hears that it is."""

    take: Take
    future: asyncio.Future[Grant] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    shortage: Shortage | None = None


class WaitingRoom:
    """One fair queue for each limit that calls wait for.

    Who comes while others wait goes behind them. `give_back` takes back what was got for a call
    whose client has left.
    """

    def __init__(self, give_back: GiveBack, bound: int = BOUND) -> None:
        self._give_back = give_back
        self._bound = bound
        self._queues: dict[str, FairQueue[Waiter]] = {}
        self._pumps: dict[str, asyncio.Task[None]] = {}
        self._freed = asyncio.Event()

    def queued_for(self, limits: Iterable[Limit]) -> Limit | None:
        """The first of these limits that others wait for."""
        if not self._queues:
            return None
        return next((limit for limit in limits if limit.id in self._queues), None)

    async def wait(
        self, limit: Limit, key: str, take: Take, shortage: Shortage | None
    ) -> Grant | Shortage | None:
        """Queue for up to `limit.wait` seconds; the last shortage, if any, where that was in vain.

        `shortage` is what the call was refused for, if it was. Leaves the queue when cancelled.
        """
        waiter = Waiter(take, shortage=shortage)
        queue = self._queues.setdefault(limit.id, FairQueue(self._bound))
        if not queue.add(key, waiter):
            return shortage or await take()
        if limit.id not in self._pumps:
            pump = asyncio.create_task(self._pump(limit.id), name=f"queue for {limit.id}")
            self._pumps[limit.id] = pump
        try:
            await asyncio.wait({waiter.future}, timeout=limit.wait)
        except asyncio.CancelledError:
            if not waiter.future.cancel():  # it was let in at this moment
                await self._give_back(waiter.future.result())
            raise
        finally:
            queue.leave(key, waiter)
            self._freed.set()  # the pump ends with its queue
        return waiter.shortage if waiter.future.cancel() else waiter.future.result()

    def freed(self) -> None:
        """Something was given back: those that wait may look."""
        if self._queues:
            self._freed.set()

    async def close(self) -> None:
        for pump in self._pumps.values():
            pump.cancel()
        await asyncio.gather(*self._pumps.values(), return_exceptions=True)
        self._pumps.clear()
        self._queues.clear()

    async def _pump(self, name: str) -> None:
        queue = self._queues[name]
        try:
            while len(queue):
                self._freed.clear()
                pause = await self._round(queue, name)
                if pause and len(queue):
                    await self._pause(pause)
        finally:
            self._queues.pop(name, None)
            self._pumps.pop(name, None)

    async def _round(self, queue: FairQueue[Waiter], name: str) -> float:
        """Let in whom there is room for, one of each key; returns when to look again."""
        pause = LOOK_SECONDS
        for key, waiter in queue.heads():
            answer = await waiter.take()
            if isinstance(answer, Grant):
                await self._let_in(queue, key, waiter, answer)
                pause = 0.0
                continue
            waiter.shortage = answer
            if answer.at != inf:
                pause = min(pause, max(0.001, answer.at - answer.now))
            if answer.allowance.id == name:
                break  # no room for anybody
        return pause

    async def _let_in(
        self, queue: FairQueue[Waiter], key: str, waiter: Waiter, grant: Grant
    ) -> None:
        if waiter.future.done():
            await self._give_back(grant)
            return
        queue.served(key)
        waiter.future.set_result(grant)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._freed.wait()
        except TimeoutError:
            return
