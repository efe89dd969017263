"""The meter against the rule it implements, and a naive bucket."""

from __future__ import annotations

from fractions import Fraction
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.policy.gcra import Meter, Standing

EPOCH = 1_800_000_000.0  # where floats of seconds are coarsest in practice


@pytest.mark.parametrize("limit", [1, 7, 60, 100, 3600, 1_000_000])
@pytest.mark.parametrize("now", [0.0, 12_345.678, EPOCH])
def test_a_fresh_meter_admits_exactly_the_limit_at_once(limit: int, now: float) -> None:
    """n at the same instant, not one more, whatever n and the clock are."""
    meter = Meter(limit / 60, now)
    step = max(1, limit // 1000)
    admitted = 0
    while not meter.wait(limit, step, now):
        meter.spent += step
        admitted += step
    assert admitted == limit
    assert meter.wait(limit, 1, now) == pytest.approx(60 / limit)


@given(
    limit=st.integers(1, 100_000),
    period=st.sampled_from([1.0, 60.0, 86_400.0]),
    spent=st.floats(0, 1),
    cost=st.floats(0, 1),
    now=st.sampled_from([0.0, 1e6, EPOCH]),
)
def test_waiting_as_told_is_enough(
    limit: int, period: float, spent: float, cost: float, now: float
) -> None:
    """After exactly the seconds that a refusal named there is room; shortly before, none."""
    meter = Meter(limit / period, now)
    meter.spent = spent * limit
    units = max(1, int(cost * limit))
    wait = meter.wait(limit, units, now)
    if wait > 0.001:
        assert meter.wait(limit, units, now + wait * 0.99) > 0
    assert meter.wait(limit, units, now + wait) == 0


@given(
    limit=st.integers(1, 50),
    events=st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 10)), max_size=60),
)
def test_equals_the_virtual_scheduling_form(limit: int, events: list[tuple[int, int]]) -> None:
    """Admits what a theoretical arrival time in exact fractions admits (milliseconds, costs)."""
    meter = Meter(limit / 60, 0.0)
    interval, arrival = Fraction(60, limit), Fraction(0)
    clock = 0
    for gap, cost in events:
        clock += gap
        now = Fraction(clock, 1000)
        planned = max(arrival, now) + cost * interval
        fits = cost <= limit and planned - now <= 60
        wait = meter.wait(limit, cost, clock / 1000)
        assert (wait == 0) is fits
        if fits:
            arrival = planned
            meter.spent += cost
        elif cost <= limit:
            assert wait == pytest.approx(float(planned - now - 60))


def test_what_is_held_does_not_leak() -> None:
    """Held units stay taken however long it is, and are counted as spent when settled."""
    meter = Meter(1.0, 0.0)
    meter.held = 60
    assert meter.wait(60, 1, 3600.0) == pytest.approx(1.0)
    meter.settle(60, 20, 3600.0)
    assert meter.standing(60, 3600.0) == Standing(60, 40, 20.0)
    assert meter.standing(60, 3610.0) == Standing(60, 50, 10.0)


def test_settling_for_more_than_was_held_leaves_a_debt() -> None:
    """Usage above the estimate is waited for later."""
    meter = Meter(1.0, 0.0)
    meter.held = 10
    meter.settle(10, 90, 0.0)
    assert meter.standing(60, 0.0).remaining == 0
    assert meter.wait(60, 1, 0.0) == pytest.approx(31.0)


def test_refund_never_goes_below_unused() -> None:
    """Giving back what has leaked away already gives nothing."""
    meter = Meter(1.0, 0.0)
    meter.spent += 1
    meter.refund(1, 30.0)
    assert meter.level(30.0) == 0


@pytest.mark.parametrize(("rate", "cost"), [(0.0, 1), (1.0, 61)])
def test_what_no_time_makes_fit(rate: float, cost: int) -> None:
    """A limit that doesn't refill, and a cost above the limit, are waited for in vain."""
    meter = Meter(rate, 0.0)
    meter.held = 60
    assert meter.wait(60, cost, 0.0) == inf


def test_a_clock_that_goes_back_stands_still() -> None:
    """An earlier time neither refills nor charges."""
    meter = Meter(1.0, 100.0)
    meter.spent = 10
    assert meter.level(50.0) == meter.level(100.0) == 10
    assert meter.level(101.0) == 9
