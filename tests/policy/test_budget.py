"""Budgets: reserve the worst case, settle the real one, never overshoot."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from llmitm.policy.budget import SLOTS, Budget, Budgets, BudgetStanding, Exhausted, Reservation
from llmitm.policy.periods import Period

USD = 10**9
NOON = 1_795_262_400.0  # 2026-11-21 12:00 UTC
MIDNIGHT = NOON + 12 * 3600
DAY = Budget("key:a", 10 * USD, Period.DAY, "UTC")
MONTH = Budget("team:t", 100 * USD, Period.MONTH, "UTC")
ROLLING = Budget("user:u", 10 * USD, Period.DAY)


def reserved(
    budgets: Budgets, of: Sequence[Budget], nano_usd: int, now: float = NOON
) -> Reservation:
    result = budgets.reserve(of, nano_usd, now)
    assert isinstance(result, Reservation)
    return result


def spent(budgets: Budgets, of: Budget, now: float = NOON) -> int:
    return budgets.standing(of, now).spent


def test_parallel_calls_cannot_overshoot() -> None:
    """Of 200 calls at once that may cost 0.30 each, a budget of 10 admits 33."""
    budgets = Budgets()
    results = [budgets.reserve([DAY], 3 * USD // 10, NOON) for _ in range(200)]
    assert sum(isinstance(result, Reservation) for result in results) == 33
    assert spent(budgets, DAY) <= DAY.nano_usd


def test_settling_frees_what_was_not_used() -> None:
    """The real cost replaces the reservation, once."""
    budgets = Budgets()
    reservation = reserved(budgets, [DAY, MONTH], 10 * USD)
    assert isinstance(budgets.reserve([DAY], 1, NOON), Exhausted)
    for cost in (2 * USD, 5 * USD):
        budgets.settle(reservation, cost, NOON)
    assert spent(budgets, DAY) == spent(budgets, MONTH) == 2 * USD


def test_all_budgets_or_none() -> None:
    """When one of several has no room, the others stay as they were, whatever their order."""
    budgets = Budgets()
    reserved(budgets, [DAY], 9 * USD)
    for of in ([DAY, MONTH], [MONTH, DAY]):
        result = budgets.reserve(of, 2 * USD, NOON)
        assert result == Exhausted(DAY, 2 * USD, USD, int(MIDNIGHT))
    assert spent(budgets, MONTH) == 0


def test_the_last_budget_to_have_room_is_reported() -> None:
    """Where several have none, the time given is when all of them have."""
    budgets = Budgets()
    small = Budget("key:a", 10 * USD, Period.HOUR, "UTC")
    reserved(budgets, [DAY, small], 10 * USD)
    for of in ([DAY, small], [small, DAY]):
        result = budgets.reserve(of, USD, NOON)
        assert isinstance(result, Exhausted)
        assert result.budget is DAY


def test_a_call_dearer_than_the_budget() -> None:
    """There is no time to come back at."""
    assert Budgets().reserve([DAY], 11 * USD, NOON) == Exhausted(DAY, 11 * USD, 10 * USD, None)


def test_what_costs_nothing_is_always_admitted() -> None:
    """A model with the price 0 can be called on an overdrawn budget."""
    budgets = Budgets()
    budgets.settle(reserved(budgets, [DAY], USD), 12 * USD, NOON)
    assert budgets.standing(DAY, NOON).remaining == 0
    reserved(budgets, [DAY], 0)


def test_calendar_window_ends_at_once() -> None:
    """At midnight of its zone a day's budget is whole again."""
    budgets = Budgets(lease=1e9)
    berlin = Budget("key:b", USD, Period.DAY, "Europe/Berlin")
    reserved(budgets, [berlin, DAY], USD)
    assert budgets.standing(berlin, MIDNIGHT - 3601).remaining == 0
    assert budgets.standing(berlin, MIDNIGHT - 3600) == BudgetStanding(USD, 0, USD, None)
    assert spent(budgets, DAY, MIDNIGHT - 1) == USD


def test_a_call_over_midnight_is_yesterdays() -> None:
    """It is booked where it was reserved, as the ledger's time stamp has it."""
    budgets = Budgets(lease=1e9)
    late = reserved(budgets, [DAY, ROLLING], 5 * USD, MIDNIGHT - 1)
    budgets.settle(late, 3 * USD, MIDNIGHT + 60)
    assert spent(budgets, DAY, MIDNIGHT + 60) == 0
    assert spent(budgets, ROLLING, MIDNIGHT + 60) == 3 * USD


@pytest.mark.parametrize("period", Period)
def test_rolling_window_forgets_slot_by_slot(period: Period) -> None:
    """What was spent counts for the whole period, and for a sixtieth of it more at most."""
    budgets = Budgets(lease=1e9)
    budget = Budget("key:a", 10, period)
    reserved(budgets, [budget], 10)
    counted_until = budgets.standing(budget, NOON).reset
    assert counted_until is not None
    assert period.seconds < counted_until - NOON <= period.seconds * (1 + 1 / SLOTS)
    assert spent(budgets, budget, counted_until - 1) == 10
    assert spent(budgets, budget, counted_until) == 0


def test_when_a_rolling_budget_has_room() -> None:
    """The time is when enough of the oldest spending has left the window."""
    budgets = Budgets(lease=1e9)
    for hour in range(5):
        reserved(budgets, [ROLLING], 2 * USD, NOON + hour * 3600)
    result = budgets.reserve([ROLLING], 3 * USD, NOON + 4 * 3600)
    assert isinstance(result, Exhausted)
    assert result.retry_at is not None
    assert isinstance(budgets.reserve([ROLLING], 3 * USD, result.retry_at - 1), Exhausted)
    reserved(budgets, [ROLLING], 3 * USD, result.retry_at)


def test_an_unsettled_reservation_is_released_after_its_lease() -> None:
    """A lost call doesn't hold money for ever, a renewed one does as long as it runs.

    What the lost one cost is booked all the same if that becomes known.
    """
    budgets = Budgets(lease=10)
    lost, running = reserved(budgets, [DAY], USD), reserved(budgets, [DAY], 2 * USD)
    budgets.renew(running, NOON + 8)
    assert spent(budgets, DAY, NOON + 9) == 3 * USD
    assert spent(budgets, DAY, NOON + 10) == 2 * USD
    for _ in range(2):
        budgets.settle(lost, USD // 2, NOON + 11)
    assert spent(budgets, DAY, NOON + 11) == 2 * USD + USD // 2


def test_restart_remembers() -> None:
    """Restored from the ledger in any order, a budget stands where it stood.

    The call of exactly a day ago is in the oldest slot, which still counts.
    """
    rows = [(NOON - 3600.0 * hour, USD) for hour in range(48)]
    random.Random(1).shuffle(rows)
    for budget, hours in ((DAY, 13), (ROLLING, 25)):
        budgets = Budgets()
        budgets.restore(budget, rows, NOON)
        budgets.restore(budget, rows, NOON)
        assert spent(budgets, budget) == hours * USD
        assert spent(budgets, budget, NOON + 1e8) == 0


def test_an_edited_budget_keeps_what_was_spent() -> None:
    """After a reload with another amount the same spending counts against the new one."""
    budgets = Budgets()
    reserved(budgets, [DAY], 8 * USD)
    edited = Budget("key:a", 20 * USD, Period.DAY, "UTC")
    assert budgets.standing(edited, NOON).remaining == 12 * USD


def test_rolling_accounts_stay_small() -> None:
    """A slot per sixtieth of the window, however many calls there are."""
    budgets = Budgets()
    for second in range(0, 3 * 86_400, 97):
        budgets.settle(reserved(budgets, [ROLLING], 1, NOON + second), 1, NOON + second)
    assert len(budgets._accounts[ROLLING.id].slots) <= SLOTS + 1


POOL = [
    Budget("key:a", 50, Period.HOUR, "Europe/Berlin"),
    Budget("key:a", 80, Period.HOUR),
    Budget("user:u", 120, Period.DAY, "America/New_York"),
    Budget("user:u", 120, Period.DAY),
    Budget("global", 300, Period.WEEK),
    Budget("global", 300, Period.MONTH, "UTC"),
]


@dataclass
class NaiveCall:
    """A call as the naive model remembers it: amounts never leave its list."""

    of: tuple[Budget, ...]
    reservation: Reservation
    at: float
    amount: int
    reserved: int
    ended: bool = False


class BudgetMachine(RuleBasedStateMachine):
    """Random schedules of calls, against the list of everything that was ever spent."""

    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.budgets = Budgets(lease=1e12)
        self.ever: list[NaiveCall] = []
        self.now = 1_792_880_000.0  # days before Berlin's clocks go back

    def spent(self, budget: Budget) -> int:
        return sum(
            call.amount
            for call in self.ever
            if budget in call.of and budget.slot(call.at)[1] > self.now
        )

    @rule(seconds=st.sampled_from([0, 1, 61, 599, 3600, 7200, 40_000, 90_000, 700_000]))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(
        target=calls,
        of=st.lists(st.sampled_from(POOL), unique=True, min_size=1).map(tuple),
        amount=st.integers(0, 60),
    )
    def reserve(self, of: tuple[Budget, ...], amount: int) -> NaiveCall | None:
        fits = all(self.spent(budget) + amount <= budget.nano_usd for budget in of)
        result = self.budgets.reserve(of, amount, self.now)
        assert isinstance(result, Reservation) is fits
        if not isinstance(result, Reservation):
            return None
        self.ever.append(NaiveCall(of, result, self.now, amount, amount))
        return self.ever[-1]

    @rule(call=calls, share=st.floats(0, 1))
    def settle(self, call: NaiveCall | None, share: float) -> None:
        if call is None:
            return
        amount = int(call.reserved * share)
        self.budgets.settle(call.reservation, amount, self.now)
        if not call.ended:
            call.amount, call.ended = amount, True

    @invariant()
    def same_and_never_overshot(self) -> None:
        for budget in POOL:
            standing = self.budgets.standing(budget, self.now)
            assert standing.spent == self.spent(budget) <= budget.nano_usd

    @invariant()
    def no_rolling_period_is_overshot(self) -> None:
        for budget in POOL:
            if budget.zone is None:
                since = self.now - budget.period.seconds
                recent = [call for call in self.ever if budget in call.of and call.at > since]
                assert sum(call.amount for call in recent) <= budget.nano_usd


BudgetMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestBudgetMachine = BudgetMachine.TestCase
