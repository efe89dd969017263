"""The accounts as a running gateway asks them: begun with the ledger's word, renewed, settled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from llmitm.policy.accounts import Grant, Shortage
from llmitm.policy.budget import Budget
from llmitm.policy.limits import Kind, Limit
from llmitm.policy.periods import Period
from llmitm.stores import accounts as module
from llmitm.stores.accounts import AccountStore
from llmitm.stores.errors import Unavailable

DAY = Budget("key:a", 1000, Period.DAY)
SLOT = Limit("key:a", Kind.CONCURRENT, 1)


class Ledger:
    """A history that answers when it is let, after so many failures."""

    def __init__(self, amount: int = 0, failures: int = 0) -> None:
        self.amount = amount
        self.failures = failures
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, _allowance: Any, moment: float) -> Iterable[tuple[float, int]]:
        self.asked += 1
        await self.open.wait()
        if self.asked <= self.failures:
            raise Unavailable("down")
        return [(moment - 60, self.amount)]


class Clock:
    def __init__(self) -> None:
        self.now = 1_795_262_400.0

    def __call__(self) -> float:
        return self.now


async def test_history_is_asked_once() -> None:
    """Whoever comes first, all wait for the same answer, and it counts once."""
    ledger = Ledger(400)
    store = AccountStore(Clock(), ledger)
    answers = await asyncio.gather(*(store.take([DAY], [100]) for _ in range(10)))
    assert ledger.asked == 1
    assert sum(isinstance(answer, Grant) for answer in answers) == 6
    assert (await store.level(DAY)).spent == 1000


async def test_an_absent_ledger_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls go on as if nothing had been spent; what was is added when the ledger says so."""
    monkeypatch.setattr(module, "HISTORY_SECONDS", 0.01)
    ledger = Ledger(400)
    ledger.open.clear()
    store = AccountStore(Clock(), ledger)
    grant = await store.take([DAY], [900])
    assert isinstance(grant, Grant)
    ledger.open.set()
    await asyncio.gather(*(each.task for each in store._learning.values()))
    assert (await store.settle(grant, [100]))[0].spent == 500


async def test_a_ledger_that_fails_once() -> None:
    """It is asked again at once: only its connection may have been lost."""
    store = AccountStore(Clock(), Ledger(400, failures=1))
    assert isinstance(await store.take([DAY], [700]), Shortage)


async def test_a_failing_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked until it answers. No call waits for that."""
    monkeypatch.setattr(module, "HISTORY_SECONDS", 1e9)
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    ledger = Ledger(400, failures=4)
    store = AccountStore(Clock(), ledger)
    assert isinstance(await store.take([DAY], [700]), Grant)
    await asyncio.gather(*(each.task for each in store._learning.values()))
    assert ledger.asked == 5
    assert (await store.level(DAY)).spent == 1100


async def test_running_calls_are_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call keeps what it holds for as long as it runs, and no longer."""
    renewed = asyncio.Event()
    clock = Clock()
    store = AccountStore(clock, renew=0)
    renew = store._renew

    async def tell() -> None:
        await renew()
        renewed.set()

    monkeypatch.setattr(store, "_renew", tell)
    grant = await store.take([SLOT], [1])
    assert isinstance(grant, Grant)
    running = asyncio.create_task(store.run())
    clock.now += 890
    await renewed.wait()
    running.cancel()
    clock.now += 20
    assert (await store.level(SLOT)).spent == 1
    assert (await store.settle(grant, [0]))[0].spent == 0
    await store.close()
