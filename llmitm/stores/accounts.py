"""The accounts of limits or of budgets, as a running gateway asks them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from llmitm.policy.account import Allowance, Level
from llmitm.policy.accounts import Accounts, Answer, Grant, Shortage, Unknown
from llmitm.stores.errors import LedgerError
from llmitm.stores.link import StoreDown
from llmitm.stores.remote_accounts import LEASE, RemoteAccounts

logger = logging.getLogger(__name__)

# What the ledger says was used of an allowance before a moment: times and amounts.
# Raises LedgerError.
History = Callable[[Any, float], Awaitable[Iterable[tuple[float, int]]]]

RENEW_SECONDS = LEASE / 3
HISTORY_SECONDS = 2.0  # how long a call waits for the ledger to say what was spent
RETRY_SECONDS = 5.0
MAX_OWED = 100_000


class AccountStore:
    """Takes and settles in the shared store while it answers, else in this process's memory.

    `clock` gives the time of the accounts in memory. `own_time` says that it is the shared
    store's too; without it that one goes by its own clock. Where the ledger keeps a `history`,
    what was used before counts.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        remote: RemoteAccounts | None = None,
        own_time: bool = False,
        history: History | None = None,
    ) -> None:
        self._clock = clock
        self._remote = remote
        self._up = False
        self._own_time = own_time
        self._history = history
        self._local = Accounts()
        self._open: set[Grant] = set()
        self._learning: dict[str, asyncio.Task[None]] = {}
        self._seen: dict[str, int] = {}  # what the shared store last said was spent
        self._owed: deque[tuple[Grant, Sequence[int]]] = deque(maxlen=MAX_OWED)

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
        if grant.id and self._remote is not None and self._up:
            try:
                levels = await self._remote.settle(grant, used, self._now)
            except StoreDown:
                self._owed.append((grant, used))
            else:
                self._note(grant.allowances, levels)
                return levels
        elif grant.id or (self._remote is not None and self._history is not None):
            self._owed.append((grant, used))
        return self._local.settle(grant, used, self._clock())

    async def level(self, allowance: Allowance) -> Level:
        if self._remote is not None and self._up:
            try:
                return await self._remote.level(allowance, self._now)
            except StoreDown:
                pass
        return self._local.level(allowance, self._clock())
