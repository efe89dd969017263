"""Random schedules of calls against a list of everything that ever happened.

The same machine runs against memory and against a real Valkey.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from llmitm.policy.account import Allowance
from llmitm.policy.accounts import Accounts, Grant, Shortage
from llmitm.policy.budget import Budget
from llmitm.policy.limits import Kind, Limit
from llmitm.policy.periods import Period
from tests.support.valkey import Stored

LEASE = 5000.0
POOL: list[Allowance] = [
    Limit("key:a", Kind.REQUESTS, 4),
    Limit("key:a", Kind.TOKENS, 64),
    Limit("key:a", Kind.TOKENS, 200, 86_400.0),
    Limit("key:a", Kind.CONCURRENT, 3),
    Limit("user:u", Kind.REQUESTS, 2, 8.0),
    Limit("global", Kind.CONCURRENT, 2),
    Budget("key:a", 50, Period.HOUR, "Europe/Berlin"),
    Budget("key:a", 80, Period.HOUR),
    Budget("user:u", 120, Period.DAY, "America/New_York"),
    Budget("user:u", 120, Period.DAY),
    Budget("global", 300, Period.WEEK),
    Budget("global", 300, Period.MONTH, "UTC"),
]


@dataclass(eq=False)
class NaiveCall:
    """A call as the naive model remembers it: nothing is ever taken off a list."""

    of: tuple[Allowance, ...]
    grant: Grant
    at: float
    amounts: list[int]
    expires: float
    ended: bool = False

    def lapse(self) -> None:
        self.amounts = [0 if a.leased else n for a, n in zip(self.of, self.amounts, strict=True)]
        self.expires = inf


class Model(RuleBasedStateMachine):
    """Takes, settlements, renewals and pauses in any order."""

    calls = Bundle("calls")
    backend: ClassVar[Accounts | Stored]

    def __init__(self) -> None:
        super().__init__()
        self.accounts = self.backend
        if isinstance(self.accounts, Stored):
            self.accounts.forget()
        else:
            self.accounts = Accounts(LEASE)
        self.ever: list[NaiveCall] = []
        self.now = 1_792_880_000.0  # days before Berlin's clocks go back
        for allowance in POOL:
            if allowance.durable:
                self.accounts.restore(allowance, (), self.now)

    def counting(self, allowance: Allowance) -> Iterator[tuple[float, int]]:
        """Until when, and how much, of all that was ever used of an allowance."""
        for call in self.ever:
            for each, amount in zip(call.of, call.amounts, strict=True):
                if each is allowance and allowance.until(call.at) > self.now:
                    yield allowance.until(call.at), amount

    def spent(self, allowance: Allowance) -> int:
        return sum(amount for _, amount in self.counting(allowance))

    def free_at(self, allowance: Allowance, cost: int) -> float:
        """When there is room; 0 if there is."""
        if not cost or self.spent(allowance) + cost <= allowance.amount:
            return 0.0
        if cost > allowance.amount:
            return inf
        freed = 0
        for until, amount in sorted(self.counting(allowance)):
            freed += amount
            if freed >= self.spent(allowance) + cost - allowance.amount:
                return until
        return inf

    @rule(seconds=st.sampled_from([0, 1, 3, 9, 61, 599, 3600, 7200, 40_000, 90_000, 700_000]))
    def wait(self, seconds: int) -> None:
        self.now += seconds
        for call in self.ever:
            if not call.ended and call.expires <= self.now:
                call.lapse()
        # A window that nobody used for its whole length is forgotten, with what it began with.
        for allowance in POOL:
            if allowance.durable:
                self.accounts.restore(allowance, (), self.now)

    @rule(
        target=calls,
        of=st.lists(st.sampled_from(POOL), unique_by=lambda a: a.id, min_size=1).map(tuple),
        amount=st.integers(0, 70),
    )
    def take(self, of: tuple[Allowance, ...], amount: int) -> NaiveCall | None:
        costs = [1 if _is_counted_by_one(allowance) else amount for allowance in of]
        times = [self.free_at(a, cost) for a, cost in zip(of, costs, strict=True)]
        answer = self.accounts.take(of, costs, self.now)
        if any(times):
            assert isinstance(answer, Shortage)
            assert answer.at == max(times)
            assert answer.allowance is of[times.index(max(times))]
            return None
        assert isinstance(answer, Grant)
        call = NaiveCall(of, answer, self.now, costs, self.now + LEASE)
        self.ever.append(call)
        return call

    @rule(call=calls, share=st.floats(0, 1.2))
    def settle(self, call: NaiveCall | None, share: float) -> None:
        if call is None or call.ended:
            return
        used = [
            0 if isinstance(a, Limit) and a.kind is Kind.CONCURRENT else int(cost * share)
            for a, cost in zip(call.of, call.grant.costs, strict=True)
        ]
        self.accounts.settle(call.grant, used, self.now)
        call.amounts, call.ended = used, True

    @rule(call=calls)
    def renew(self, call: NaiveCall | None) -> None:
        if call is not None and not call.ended and call.expires < inf:
            self.accounts.renew(call.grant, self.now)
            call.expires = self.now + LEASE

    @invariant()
    def same_levels(self) -> None:
        for allowance in POOL:
            level = self.accounts.level(allowance, self.now)
            assert level.spent == self.spent(allowance)
            held = sum(
                amount
                for call in self.ever
                for each, amount in zip(call.of, call.amounts, strict=True)
                if each is allowance and allowance.leased and not call.ended
            )
            assert level.held == held


def _is_counted_by_one(allowance: Allowance) -> bool:
    return isinstance(allowance, Limit) and allowance.kind is not Kind.TOKENS


@pytest.mark.parametrize(("backend", "examples"), [("memory", 150), ("valkey", 150)])
def test_model(backend: str, examples: int, request: pytest.FixtureRequest) -> None:
    """Levels, admissions and the times of shortages are those of the naive model, always."""
    stored = None
    if backend == "valkey":
        stored = Stored(request.getfixturevalue("valkey_url"), LEASE)
    Model.backend = stored or Accounts(LEASE)
    run_state_machine_as_test(
        Model,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    if stored is not None:
        stored.close()
