"""What the ledger says was spent, by when."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from llmitm.call import CallRecord
from llmitm.policy.account import SLOTS
from llmitm.policy.accounts import Accounts
from llmitm.policy.budget import Budget
from llmitm.policy.periods import Period
from llmitm.stores.database import open_database
from llmitm.stores.ledger import Ledger, open_ledger
from llmitm.stores.spending import Spending
from tests.stores.records import SECONDS

NOON = 1_795_262_400.0  # 2026-11-21 12:00 UTC
HOUR = 3600.0
CENT = 10_000_000


def record(number: int, ts: float, key: str = "a", usd: str | None = "0.01") -> CallRecord:
    return CallRecord(
        request_id=f"req_{number}",
        ts=ts,
        key=key,
        user="u",
        dialect="openai",
        operation="chat",
        status=200,
        cost_usd=None if usd is None else Decimal(usd),
    )


@pytest.fixture
async def spending(tmp_path: Path) -> AsyncIterator[tuple[Ledger, Spending]]:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    ledger = open_ledger(url)

    async def flushed() -> None:
        assert ledger.flush(SECONDS)

    spending = Spending(open_database(url), flushed)
    yield ledger, spending
    await spending.close()
    ledger.close()


async def spent(spending: Spending, budget: Budget, moment: float = NOON) -> int:
    """What a budget that begins with the ledger's word has spent, in cents."""
    accounts = Accounts()
    accounts.restore(budget, await spending.before(budget, moment), moment)
    return accounts.level(budget, moment).spent // CENT


@pytest.mark.parametrize(
    ("budget", "cents"),
    [
        (Budget("key:a", 1, Period.HOUR, "UTC"), 0),
        (Budget("key:a", 1, Period.HOUR), 2),
        (Budget("key:a", 1, Period.DAY, "UTC"), 24),
        (Budget("key:a", 1, Period.DAY, "Europe/Berlin"), 26),
        (Budget("key:a", 1, Period.DAY, "Asia/Kolkata"), 35),
        (Budget("key:a", 1, Period.DAY), 49),
        (Budget("key:a", 1, Period.MONTH, "UTC"), 96),
        (Budget("user:u", 1, Period.DAY, "UTC"), 25),
        (Budget("global", 1, Period.DAY, "UTC"), 25),
    ],
    ids=lambda case: case.id if isinstance(case, Budget) else None,
)
async def test_windows(spending: tuple[Ledger, Spending], budget: Budget, cents: int) -> None:
    """A cent every half hour: as many as the budget's window has, also those just spooled."""
    ledger, reader = spending
    for number in range(96):
        ledger.append(record(number, NOON - 1 - number * HOUR / 2))
    ledger.append(record(900, NOON - 60, key="b"))
    ledger.append(record(901, NOON - 60, usd=None))
    ledger.append(record(902, NOON + 60))
    assert abs(await spent(reader, budget) - cents) <= (1 if budget.zone is None else 0)


async def test_what_leaves_the_window_does(spending: tuple[Ledger, Spending]) -> None:
    """What is restored counts as long as it would have, an hour longer at most."""
    ledger, reader = spending
    ledger.append(record(1, NOON - 23 * HOUR))
    budget = Budget("key:a", 1, Period.DAY)
    accounts = Accounts()
    accounts.restore(budget, await reader.before(budget, NOON), NOON)
    assert accounts.level(budget, NOON + HOUR - 1).spent == CENT
    late = HOUR + HOUR + 86_400 / SLOTS
    assert accounts.level(budget, NOON + late).spent == 0


async def test_nothing_was_spent(spending: tuple[Ledger, Spending]) -> None:
    """An empty ledger says nothing."""
    assert await spent(spending[1], Budget("global", 1, Period.MONTH)) == 0
