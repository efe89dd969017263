import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.policy.retry_budget import RESERVE_SECONDS, RetryBudget


def drain(budget: RetryBudget, now: float) -> int:
    taken = 0
    while budget.take(now):
        taken += 1
    return taken


def test_share() -> None:
    """Grants the share of the calls, once the reserve is spent."""
    budget = RetryBudget(share=0.25, min_per_second=1.0)
    assert drain(budget, 0.0) == 10
    for _ in range(16):
        budget.deposit(0.0)
    assert drain(budget, 0.0) == 4


def test_share_of_a_route() -> None:
    """A call counts for the share that its own route allows."""
    budget = RetryBudget(share=0.25, min_per_second=1.0)
    drain(budget, 0.0)
    for _ in range(8):
        budget.deposit(0.0, 0.5)
        budget.deposit(0.0, 0.0)
    assert drain(budget, 0.0) == 4


def test_minimum() -> None:
    """Grants the minimum per second where there are hardly any calls."""
    budget = RetryBudget(share=0.2, min_per_second=2.0)
    drain(budget, 0.0)
    assert not budget.available(0.25)
    assert drain(budget, 0.5) == 1
    assert drain(budget, 2.5) == 4


def test_reserve_is_bounded() -> None:
    """Does not pile up what was not used."""
    budget = RetryBudget(share=1.0, min_per_second=3.0)
    for second in range(1000):
        budget.deposit(float(second))
    assert drain(budget, 1000.0) == 30


def test_share_without_a_minimum() -> None:
    """Works with the share alone."""
    budget = RetryBudget(share=0.5, min_per_second=0.0)
    assert drain(budget, 0.0) == 1
    budget.deposit(100.0)
    assert drain(budget, 100.0) == 0
    budget.deposit(100.0)
    assert drain(budget, 100.0) == 1


def test_time_may_stand_still_or_step_back() -> None:
    """A time earlier than the last one adds nothing."""
    budget = RetryBudget(min_per_second=1.0)
    drain(budget, 100.0)
    assert not budget.take(50.0)


@pytest.mark.parametrize("available", [True, False])
def test_available_spends_nothing(available: bool) -> None:
    """Asking is free."""
    budget = RetryBudget(min_per_second=1.0)
    if not available:
        drain(budget, 0.0)
    assert [budget.available(0.0) for _ in range(50)] == [available] * 50


@given(
    st.floats(0, 1),
    st.floats(0, 5),
    st.lists(st.tuples(st.floats(0, 5), st.booleans()), max_size=200),
)
def test_never_grants_more(share: float, minimum: float, steps: list[tuple[float, bool]]) -> None:
    """Over any time: at most the reserve, the share of the calls and the minimum."""
    budget, now, calls, retries = RetryBudget(share, minimum), 0.0, 0, 0
    for pause, is_call in steps:
        now += pause
        if is_call:
            budget.deposit(now)
            calls += 1
        else:
            retries += budget.take(now)
        reserve = max(1.0, minimum * RESERVE_SECONDS)
        assert retries <= reserve + share * calls + minimum * now + 1e-6
