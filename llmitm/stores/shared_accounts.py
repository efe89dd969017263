"""Accounts that all processes share, and what each one does while the store is away."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from llmitm.policy.account import Allowance, Level
from llmitm.policy.accounts import Accounts, Answer, Grant, Unknown
from llmitm.stores.accounts import RENEW_SECONDS, AccountStore, History, Spent, no_history
from llmitm.stores.link import StoreDown
from llmitm.stores.remote_accounts import RemoteAccounts

MAX_OWED = 100_000  # calls that ended while the store was away


class SharedAccountStore(AccountStore):
    """Takes and settles in the shared store, and in memory while that doesn't answer.

    `clock` gives the time in memory. With `own_time` it is the shared store's time too; without
    it, that one goes by its own clock. What is durable begins, away, with what the store last
    said, and what was used meanwhile is booked when it is back.
    """

    def __init__(
        self,
        remote: RemoteAccounts,
        clock: Callable[[], float],
        history: History = no_history,
        *,
        own_time: bool = False,
        renew: float = RENEW_SECONDS,
    ) -> None:
        super().__init__(clock, history, renew=renew)
        self._remote = remote
        self._own_time = own_time
        self._up = False
        self._seen: dict[str, int] = {}
        self._owed: deque[tuple[Grant, Sequence[int]]] = deque(maxlen=MAX_OWED)
        self._paying: asyncio.Task[None] | None = None

    def linked(self, up: bool) -> None:
        """The store answers again, or no longer."""
        self._up = up
        if up:
            self._paying = asyncio.create_task(self._pay(), name="settle with the shared store")
        else:
            self._local = Accounts()

    async def settle(self, grant: Grant, used: Sequence[int]) -> list[Level]:
        home = self._open.pop(grant, None)
        levels = None if home is None else home.settle(grant, used, self._clock())
        if levels is not None and not _is_durable(grant):
            return levels
        grant.id = grant.id or self._remote.name()
        if self._up:
            with suppress(StoreDown):
                return self._note(grant, await self._remote.settle(grant, used, self._now))
        if _is_durable(grant):  # of anything else what is left lapses, or leaves its window
            self._owed.append((grant, used))
        return levels if levels is not None else self._settle_away(grant, used)

    async def level(self, allowance: Allowance) -> Level:
        if self._up:
            with suppress(StoreDown):
                return await self._remote.level(allowance, self._now)
        return await super().level(allowance)

    async def close(self) -> None:
        if self._paying is not None:
            self._paying.cancel()
        await super().close()

    @property
    def _now(self) -> float | None:
        return self._clock() if self._own_time else None

    async def _ask(self, allowances: Sequence[Allowance], costs: Sequence[int]) -> Answer:
        if self._up:
            with suppress(StoreDown):
                answer = await self._remote.take(allowances, costs, self._now)
                if isinstance(answer, Grant):
                    self._open[answer] = None
                    self._note(answer, answer.levels)
                return answer
        answer = self._ask_local(allowances, costs)
        if isinstance(answer, Unknown) and self._recall(answer.allowances):
            answer = self._ask_local(allowances, costs)
        return answer

    def _note(self, grant: Grant, levels: list[Level]) -> list[Level]:
        for allowance, level in zip(grant.allowances, levels, strict=True):
            if allowance.durable:
                self._seen[allowance.id] = level.spent
        return levels

    def _recall(self, allowances: Iterable[Allowance]) -> bool:
        """Begin the accounts of which the store has told where they stood; False where of none."""
        now = self._clock()
        known = [allowance for allowance in allowances if allowance.id in self._seen]
        for allowance in known:
            self._local.restore(allowance, [(now, self._seen[allowance.id])], now)
        return bool(known)

    def _settle_away(self, grant: Grant, used: Sequence[int]) -> list[Level]:
        """Correct in memory what the store had told with this call's reservation in it."""
        now = self._clock()
        for allowance, cost, amount in zip(grant.allowances, grant.costs, used, strict=True):
            if allowance.durable:
                self._recall([allowance])
                self._local.book(allowance, amount - cost, now, now)
        return [self._local.level(allowance, now) for allowance in grant.allowances]

    async def _pay(self) -> None:
        """Settle in the store what ended while it was away."""
        while self._owed and self._up:
            grant, used = self._owed[0]
            try:
                await self._remote.settle(grant, used, self._now)
            except StoreDown:
                return
            self._owed.popleft()

    async def _renew(self) -> None:
        await super()._renew()
        if self._up:
            with suppress(StoreDown):
                grants = [grant for grant, home in self._open.items() if home is None]
                await self._remote.renew(grants, self._now)

    async def _begin(self, allowance: Allowance, used: Spent) -> bool:
        if self._up:
            with suppress(StoreDown):
                return await self._remote.restore(allowance, used, self._clock())
        return await super()._begin(allowance, used)

    async def _add(self, allowance: Allowance, used: Spent) -> None:
        if not self._up:
            await super()._add(allowance, used)
            return
        for at, amount in used:
            grant = Grant([allowance], [0], at, at, [], id=self._remote.name())
            with suppress(StoreDown):
                await self._remote.settle(grant, [amount], self._now)


def _is_durable(grant: Grant) -> bool:
    return any(allowance.durable for allowance in grant.allowances)
