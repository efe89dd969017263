"""Budgets: whose, until when spending counts, and from when on."""

from __future__ import annotations

import pytest

from llmitm.policy.account import SLOTS
from llmitm.policy.budget import Budget
from llmitm.policy.periods import Period

NOON = 1_795_262_400.0  # 2026-11-21 12:00 UTC, a Saturday
HOUR, DAY = 3600.0, 86_400.0


@pytest.mark.parametrize(
    ("period", "zone", "since", "until"),
    [
        (Period.HOUR, "UTC", NOON, NOON + HOUR),
        (Period.DAY, "UTC", NOON - 12 * HOUR, NOON + 12 * HOUR),
        (Period.DAY, "Europe/Berlin", NOON - 13 * HOUR, NOON + 11 * HOUR),
        (Period.WEEK, "UTC", NOON - 5.5 * DAY, NOON + 1.5 * DAY),
        (Period.MONTH, "UTC", NOON - 20.5 * DAY, NOON + 9.5 * DAY),
    ],
)
def test_calendar(period: Period, zone: str, since: float, until: float) -> None:
    """The window of the zone's calendar that the moment is in."""
    budget = Budget("key:a", 10, period, zone)
    assert (budget.since(NOON + 1), budget.until(NOON + 1)) == (since, until)


@pytest.mark.parametrize("period", Period)
def test_rolling(period: Period) -> None:
    """What is spent counts for the whole period, and a little longer at most."""
    budget = Budget("key:a", 10, period)
    counted = budget.until(NOON) - NOON
    assert period.seconds < counted <= period.seconds * (1 + 1 / SLOTS)
    assert budget.until(budget.since(NOON)) <= NOON


def test_a_budget_is_told_by_its_scope_and_window() -> None:
    """Not by its amount: an edited budget keeps what was spent of it."""
    budgets = [
        Budget(scope, 10, period, zone)
        for scope in ("key:a", "user:a")
        for period in Period
        for zone in (None, "UTC", "Europe/Berlin")
    ]
    assert len({budget.id for budget in budgets}) == len(budgets)
    assert Budget("key:a", 99, Period.DAY).id == Budget("key:a", 1, Period.DAY).id


def test_owner() -> None:
    """The kind of scope, and whose; everyone's is nobody's."""
    assert Budget("key:a:b", 1, Period.DAY).owner == ("key", "a:b")
    assert Budget("global", 1, Period.DAY).owner == ("global", None)
