"""The accounts of limits or of budgets, as a running gateway asks them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

from llmitm.policy.account import Allowance, Level
from llmitm.policy.accounts import Accounts, Answer, Grant, Shortage, Unknown
from llmitm.stores.errors import LedgerError

logger = logging.getLogger(__name__)

Spent = Iterable[tuple[float, int]]
# What the ledger says was used of an allowance: times and amounts. Raises LedgerError.
History = Callable[[Allowance], Awaitable[Spent]]

RENEW_SECONDS = 10.0
HISTORY_SECONDS = 2.0  # how long a call waits for the ledger to say what was spent
RETRY_SECONDS = 5.0


async def nothing(_allowance: Allowance) -> Spent:
    """The history of what nobody recorded."""
    return ()


class AccountStore:
    """Takes from and settles with accounts in this process's memory. `clock` gives their time."""

    def __init__(self, clock: Callable[[], float], history: History = nothing) -> None:
        self._clock = clock
        self._history = history
        self._local = Accounts()
        self._open: set[Grant] = set()
        self._restoring: dict[str, asyncio.Task[None]] = {}

    async def take(
        self, allowances: Sequence[Allowance], costs: Sequence[int]
    ) -> Grant | Shortage:
        """Take each cost from its allowance, or nothing from any."""
        answer = await self._ask(allowances, costs)
        while isinstance(answer, Unknown):
            await self._restore(answer.allowances)
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

    async def restore(self, allowances: Iterable[Allowance]) -> None:
        """Learn from the ledger what was spent, before anything asks."""
        await self._restore(list(allowances))

    async def run(self) -> None:
        """Renew what running calls hold, until cancelled."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            now = self._clock()
            for grant in self._open:
                self._local.renew(grant, now)

    async def _ask(self, allowances: Sequence[Allowance], costs: Sequence[int]) -> Answer:
        return self._local.take(allowances, costs, self._clock())

    async def _restore(self, allowances: Sequence[Allowance]) -> None:
        tasks = [self._restoring_task(allowance) for allowance in allowances]
        await asyncio.wait(tasks, timeout=HISTORY_SECONDS)
        ...
