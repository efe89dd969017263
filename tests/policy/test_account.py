"""One allowance's slots, against the rule they implement."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.policy.account import SLOTS, Account, Level, rolling

EPOCH = 1_800_000_000.0  # where floats of seconds are coarsest in practice


@pytest.mark.parametrize("now", [0.0, 12_345.678, EPOCH])
@pytest.mark.parametrize("period", [8.0, 60.0, 3600.0, 86_400.0])
def test_a_slot_counts_for_the_whole_period(now: float, period: float) -> None:
    """And for a hundred-and-twentieth of it more at most."""
    until = rolling(now, period / SLOTS)
    assert period < until - now <= period * (1 + 1 / SLOTS) + 1e-6


@given(
    limit=st.integers(1, 50),
    events=st.lists(st.tuples(st.floats(0, 40), st.integers(1, 10)), max_size=60),
)
def test_no_period_has_more_than_the_limit(limit: int, events: list[tuple[float, int]]) -> None:
    """At whatever pace costs come, those of any 60 seconds fit the limit."""
    account, now, given_out = Account(), EPOCH, []
    for gap, cost in events:
        now += gap
        account.roll(now)
        if account.spent + cost <= limit:
            account.book(rolling(now, 0.5), cost)
            given_out.append((now, cost))
    for start, _ in given_out:
        assert sum(cost for at, cost in given_out if start <= at < start + 60) <= limit


def test_what_is_booked() -> None:
    """Amounts of one slot add up, come in any order, and leave with their slot."""
    account = Account()
    for until, amount in ((20.0, 3), (10.0, 2), (20.0, 4), (15.0, 1), (20.0, -2), (30.0, 0)):
        account.book(until, amount)
    assert account.level() == Level(8, 0, 20.0)
    assert (account.first, account.free_at(3), account.free_at(4)) == (10.0, 15.0, 20.0)
    account.roll(15.0)
    assert account.level() == Level(5, 0, 20.0)
    account.roll(20.0)
    assert account.level() == Level(0, 0, 0.0)
    assert account.first == inf


def test_what_never_comes_free() -> None:
    """More than is there, and what only settling ends."""
    account = Account()
    assert account.free_at(1) == inf
    account.book(inf, 2)
    account.roll(1e18)
    assert (account.spent, account.free_at(1)) == (2, inf)


def test_accounts_stay_small() -> None:
    """A slot per part of the window, however many calls there are."""
    account = Account()
    for second in range(0, 3 * 86_400, 97):
        account.roll(float(second))
        account.book(rolling(second, 720.0), 1)
    assert len(account._untils) <= SLOTS + 1
