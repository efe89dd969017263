"""The accounts of limits or of budgets, as a running gateway asks them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from llmitm.policy.account import Allowance, Level
from llmitm.policy.accounts import Accounts, Answer, Grant, Shortage, Unknown
from llmitm.stores.errors import LedgerError

logger = logging.getLogger(__name__)

# What the ledger says was used of an allowance before a moment: times and amounts.
# Raises LedgerError.
History = Callable[[Allowance, float], Awaitable[Iterable[tuple[float, int]]]]

RENEW_SECONDS = 10.0
HISTORY_SECONDS = 2.0  # how long a call waits for the ledger to say what was spent
RETRY_SECONDS = 5.0


class AccountStore:
    """Takes from and settles with accounts in this process's memory. `clock` gives their time."""

    def __init__(self, clock: Callable[[], float], history: History | None = None) -> None:
        self._clock = clock
        self._history = history
        self._local = Accounts()
        self._open: set[Grant] = set()
        self._learning: dict[str, asyncio.Task[None]] = {}

    async def take(
        self, allowances: Sequence[Allowance], costs: Sequence[int]
    ) -> Grant | Shortage:
        """Take each cost from its allowance, or nothing from any."""
        answer = await self._ask(allowances, costs)
        while isinstance(answer, Unknown):
            await self.learn(answer.allowances)
            answer = await self._ask(allowances, costs)
        if isinstance(answer, Grant):
            self._open.add(answer)
        return answer

    async def settle(self, grant: Grant, used: Sequence[int]) -> list[Level]:
        """The call is over and used so much: the levels of its allowances after that."""
        self._open.discard(grant)
        return self._local.settle(grant, used, self._clock())

    async def level(self, allowance: Allowance) -> Level:
        return self._local.level(allowance, self._clock())

    async def learn(self, allowances: Iterable[Allowance]) -> None:
        """Ask the ledger what was used; where it doesn't say in time, begin with nothing.

        What it says later is added then.
        """
        wanted = list(allowances)
        tasks = [self._task(allowance) for allowance in wanted]
        await asyncio.wait(tasks, timeout=HISTORY_SECONDS)
        for allowance in wanted:
            self._local.restore(allowance, (), self._clock())

    async def run(self) -> None:
        """Renew what running calls hold, until cancelled."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            now = self._clock()
            for grant in self._open:
                self._local.renew(grant, now)

    async def close(self) -> None:
        for task in self._learning.values():
            task.cancel()
        await asyncio.gather(*self._learning.values(), return_exceptions=True)

    async def _ask(self, allowances: Sequence[Allowance], costs: Sequence[int]) -> Answer:
        return self._local.take(allowances, costs, self._clock())

    def _task(self, allowance: Allowance) -> asyncio.Task[None]:
        task = self._learning.get(allowance.id)
        if task is None:
            task = asyncio.create_task(self._learn(allowance, time.time()))
            self._learning[allowance.id] = task
            task.add_done_callback(lambda _: self._learning.pop(allowance.id, None))
        return task

    async def _learn(self, allowance: Allowance, moment: float) -> None:
        """Add what was used before `moment`, whenever the ledger can be read."""
        said = False
        while True:
            try:
                used = list(await self._history(allowance, moment)) if self._history else []
                break
            except LedgerError as fault:
                if not said:
                    logger.error("budget %s: what was spent isn't known yet: %s", allowance.id, fault)
                said = True
                await asyncio.sleep(RETRY_SECONDS)
        now = self._clock()
        if not self._local.restore(allowance, used, now):
            for at, amount in used:
                self._local.book(allowance, amount, at, now)
