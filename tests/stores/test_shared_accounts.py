"""Shared accounts whose store goes away: begun with what it said, and paid when it is back."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from llmitm.policy.account import Allowance, Level
from llmitm.policy.accounts import Accounts, Answer, Grant, Shortage
from llmitm.policy.budget import Budget
from llmitm.policy.limits import Kind, Limit
from llmitm.policy.periods import Period
from llmitm.stores.link import StoreDown
from llmitm.stores.shared_accounts import SharedAccountStore

DAY = Budget("key:a", 1000, Period.DAY, "UTC")
SLOT = Limit("key:a", Kind.CONCURRENT, 2)


class Remote:
    """A shared store in memory that can be away."""

    def __init__(self) -> None:
        self.accounts = Accounts()
        self.away = False
        self.names = 0
        self.settled: list[str] = []

    def name(self) -> str:
        self.names += 1
        return f"n{self.names}"

    async def take(
        self, allowances: Sequence[Allowance], costs: Sequence[int], now: float | None = None
    ) -> Answer:
        self._here()
        answer = self.accounts.take(allowances, costs, now or time.time())
        if isinstance(answer, Grant):
            answer.id = self.name()
        return answer

    async def settle(
        self, grant: Grant, used: Sequence[int], now: float | None = None
    ) -> list[Level]:
        self._here()
        self.settled.append(grant.id)
        return self.accounts.settle(grant, used, now or time.time())

    async def renew(self, grants: Iterable[Grant], now: float | None = None) -> None:
        self._here()

    async def restore(
        self, allowance: Allowance, used: Iterable[tuple[float, int]], now: float
    ) -> bool:
        self._here()
        return self.accounts.restore(allowance, used, now)

    async def level(self, allowance: Allowance, now: float | None = None) -> Level:
        self._here()
        return self.accounts.level(allowance, now or time.time())

    def _here(self) -> None:
        if self.away:
            raise StoreDown("away")


class Pair:
    """A store and the accounts in it, with the connection's ups and downs."""

    def __init__(self) -> None:
        self.remote = Remote()
        self.store = SharedAccountStore(
            self.remote,  # type: ignore[arg-type]
            time.time,
            own_time=True,
        )
        self.store.linked(True)

    def go_away(self) -> None:
        self.remote.away = True
        self.store.linked(False)

    async def come_back(self) -> None:
        self.remote.away = False
        self.store.linked(True)
        paying: Any = self.store._paying
        await paying

    async def take(self, cost: int) -> Grant:
        grant = await self.store.take([DAY], [cost])
        assert isinstance(grant, Grant)
        return grant


async def test_away_it_begins_with_what_the_store_said() -> None:
    """What was spent before counts, in memory, without asking the ledger."""
    pair = Pair()
    await pair.store.settle(await pair.take(700), [600])
    pair.go_away()
    assert isinstance(await pair.store.take([DAY], [500]), Shortage)
    assert (await pair.take(400)).id == ""


async def test_what_was_used_while_away_is_paid() -> None:
    """Of calls that the store granted and of those that memory did."""
    pair = Pair()
    first = await pair.take(300)
    pair.go_away()
    levels = await pair.store.settle(first, [100])
    assert levels[0].spent == 100
    await pair.store.settle(await pair.take(300), [50])
    await pair.come_back()
    assert len(set(pair.remote.settled)) == 2
    assert not pair.store._owed


async def test_the_store_fails_in_the_middle_of_a_call() -> None:
    """The call that finds out goes on with memory, and is paid later."""
    pair = Pair()
    grant = await pair.take(300)
    pair.remote.away = True
    await pair.store.settle(grant, [200])
    assert isinstance(await pair.store.take([DAY], [100]), Grant)
    pair.store.linked(False)
    await pair.come_back()
    assert (await pair.store.level(DAY)).spent == 200


async def test_limits_are_local_while_away() -> None:
    """Each process goes by the whole limit; what it holds is nothing to the store afterwards."""
    pair = Pair()
    taken = [await pair.store.take([SLOT], [1]) for _ in range(3)]
    assert isinstance(taken[2], Shortage)
    pair.go_away()
    local = await pair.store.take([SLOT], [1])
    assert isinstance(local, Grant)
    await pair.come_back()
    assert (await pair.store.settle(local, [0]))[0].spent == 0
    assert pair.remote.settled == []
    assert (await pair.store.level(SLOT)).spent == 2
