"""All limits of a call at once: all-or-nothing, exact, and released on every path."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from llmitm.policy import limits as module
from llmitm.policy.gcra import Standing
from llmitm.policy.limits import Admission, Kind, Limit, Limits, Refusal

REQUESTS = Limit("key:a", Kind.REQUESTS, 3)
TOKENS = Limit("user:u", Kind.TOKENS, 100)
CONCURRENT = Limit("team:t", Kind.CONCURRENT, 2)
ALL = (REQUESTS, TOKENS, CONCURRENT)


def admitted(limits: Limits, of: Sequence[Limit], tokens: int = 0, now: float = 0.0) -> Admission:
    result = limits.admit(of, tokens, now)
    assert isinstance(result, Admission)
    return result


def refused(limits: Limits, of: Sequence[Limit], tokens: int = 0, now: float = 0.0) -> Refusal:
    result = limits.admit(of, tokens, now)
    assert isinstance(result, Refusal)
    return result


def test_admits_exactly_the_limit() -> None:
    """Of 500 calls at once against 100 a minute, 100 are admitted."""
    limits = Limits()
    limit = [Limit("key:a", Kind.REQUESTS, 100)]
    results = [limits.admit(limit, 0, 1000.0) for _ in range(500)]
    assert sum(isinstance(result, Admission) for result in results) == 100


@pytest.mark.parametrize(
    ("tokens", "before", "refusal"),
    [
        (1, 3, Refusal("key:a", Kind.REQUESTS, 3, 0, 60.0, 20.0, too_large=False)),
        (61, 1, Refusal("user:u", Kind.TOKENS, 100, 60, 24.0, 0.6, too_large=False)),
        (101, 0, Refusal("user:u", Kind.TOKENS, 100, 100, 0.0, None, too_large=True)),
    ],
)
def test_refusal(tokens: int, before: int, refusal: Refusal) -> None:
    """Names the limit that has no room, and the exact time until it has."""
    limits = Limits()
    for _ in range(before):
        limits.settle(admitted(limits, ALL, 40), 40 if before == 1 else 0, 0.0)
    assert refused(limits, ALL, tokens) == refusal


def test_a_full_set_of_calls_has_no_time_to_wait() -> None:
    """Nobody knows when a running call will end."""
    limits = Limits()
    for _ in range(2):
        admitted(limits, [CONCURRENT])
    assert refused(limits, [CONCURRENT]) == Refusal(
        "team:t", Kind.CONCURRENT, 2, 0, 0.0, None, too_large=False
    )


def test_the_slowest_limit_is_reported() -> None:
    """Where several have no room, obeying Retry-After once is enough."""
    limits = Limits()
    slow = Limit("global", Kind.REQUESTS, 1, period=3600.0)
    fast = Limit("key:a", Kind.REQUESTS, 1)
    admitted(limits, [slow, fast])
    for of in ([slow, fast], [fast, slow]):
        assert refused(limits, of).retry_after == pytest.approx(3600.0)


@pytest.mark.parametrize("full", ALL, ids=lambda limit: limit.kind)
def test_a_refused_call_consumes_nothing(full: Limit) -> None:
    """When one limit is full, the others stay as they were, in whatever order they are."""
    limits = Limits()
    while isinstance(limits.admit([full], 50, 0.0), Admission):
        pass
    others = [limit for limit in ALL if limit is not full]
    for of in ([full, *others], [*others, full]):
        refused(limits, of, 50)
    for limit in others:
        assert limits.standing([limit], 0.0)[limit.kind].remaining == limit.amount


def test_settle_reconciles_tokens_and_frees_the_slot() -> None:
    """Reserved tokens become the used ones; the request stays spent; twice is once."""
    limits = Limits()
    admission = admitted(limits, ALL, 90)
    for _ in range(2):
        limits.settle(admission, 20, 0.0)
    standing = limits.standing(ALL, 0.0)
    assert {kind: at.remaining for kind, at in standing.items()} == {
        Kind.REQUESTS: 2,
        Kind.TOKENS: 80,
        Kind.CONCURRENT: 2,
    }


def test_cancel_gives_back_everything() -> None:
    """A call that was refused elsewhere costs no request either; twice is once."""
    limits = Limits()
    kept, cancelled = admitted(limits, ALL, 10), admitted(limits, ALL, 10)
    for _ in range(2):
        limits.cancel(cancelled, 0.0)
    limits.settle(kept, 0, 0.0)
    assert limits.standing([REQUESTS], 0.0)[Kind.REQUESTS].remaining == 2


def test_an_unsettled_call_is_released_after_its_lease() -> None:
    """Its slot comes back and its tokens count as used; a settlement afterwards is ignored."""
    limits = Limits(lease=10.0)
    lost = admitted(limits, ALL, 90)
    assert limits.standing([CONCURRENT], 9.0)[Kind.CONCURRENT].remaining == 1
    standing = limits.standing(ALL, 10.0)
    assert standing[Kind.CONCURRENT].remaining == 2
    assert standing[Kind.TOKENS].remaining == 10
    limits.settle(lost, 0, 10.0)
    assert limits.standing([TOKENS], 10.0)[Kind.TOKENS].remaining == 10


def test_a_running_call_renews_its_lease() -> None:
    """A long stream keeps its slot."""
    limits = Limits(lease=10.0)
    running = admitted(limits, [CONCURRENT])
    limits.renew(running, 8.0)
    assert limits.standing([CONCURRENT], 12.0)[Kind.CONCURRENT].remaining == 1
    assert limits.standing([CONCURRENT], 18.0)[Kind.CONCURRENT].remaining == 2


def test_standing_is_the_tightest_of_its_kind() -> None:
    """Headers show the limit with the least remaining."""
    limits = Limits()
    wide, narrow = Limit("global", Kind.REQUESTS, 1000), Limit("key:a", Kind.REQUESTS, 10)
    admitted(limits, [wide, narrow])
    for of in ([wide, narrow], [narrow, wide]):
        assert limits.standing(of, 0.0) == {Kind.REQUESTS: Standing(10, 9, reset=6.0)}


def test_an_edited_limit_keeps_what_was_used() -> None:
    """After a reload with another amount the same usage counts against the new one."""
    limits = Limits()
    admitted(limits, [REQUESTS])
    edited = Limit("key:a", Kind.REQUESTS, 30)
    assert limits.standing([edited], 0.0)[Kind.REQUESTS].remaining == 29
    assert limits.standing([edited], 1.0)[Kind.REQUESTS].remaining == 29
    assert limits.standing([edited], 2.0)[Kind.REQUESTS].remaining == 30


def test_idle_meters_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of scopes that are no longer used take no memory; used ones keep their state."""
    monkeypatch.setattr(module, "SWEEP", 10)
    limits = Limits(lease=1e9)
    limits._sweep_at = 10
    admitted(limits, [CONCURRENT])
    for number in range(1000):
        admitted(limits, [Limit(f"key:{number}", Kind.REQUESTS, 60)], now=float(number))
    assert len(limits._meters) < 20
    assert limits.standing([CONCURRENT], 1000.0)[Kind.CONCURRENT].remaining == 1


def test_a_thousand_mixed_ends_leave_nothing_held() -> None:
    """However calls end, in any order, all slots and held tokens come back."""
    limits, chance = Limits(), random.Random(1)
    of = [Limit("key:a", Kind.CONCURRENT, 1000), Limit("key:a", Kind.TOKENS, 10**9)]
    running = [admitted(limits, of, chance.randrange(5000)) for _ in range(1000)]
    chance.shuffle(running)
    for admission in running:
        if chance.random() < 0.5:
            limits.cancel(admission, 0.0)
        else:
            limits.settle(admission, chance.randrange(5000), 0.0)
    assert limits.standing(of, 0.0)[Kind.CONCURRENT].remaining == 1000
    assert all(meter.held == 0 for meter in limits._meters.values())


@dataclass
class NaiveCall:
    """A call as the naive model remembers it."""

    of: tuple[Limit, ...]
    tokens: int
    admission: Admission
    ended: bool = False


@dataclass
class NaiveLimit:
    """A bucket with a tap: what leaks out of it, and what is on loan."""

    limit: Limit
    level: float = 0.0
    at: float = 0.0
    held: int = 0

    def taken(self, now: float) -> float:
        leak = self.limit.amount / self.limit.period * (now - self.at)
        self.level, self.at = max(0.0, self.level - leak), now
        return self.level + self.held


POOL = [
    Limit("key:a", Kind.REQUESTS, 4, 8.0),
    Limit("key:a", Kind.TOKENS, 64, 16.0),
    Limit("key:a", Kind.CONCURRENT, 3),
    Limit("user:u", Kind.REQUESTS, 2, 2.0),
    Limit("global", Kind.TOKENS, 128, 16.0),
    Limit("global", Kind.CONCURRENT, 2),
]


class LimitsMachine(RuleBasedStateMachine):
    """Random schedules of admissions, ends and pauses, against one bucket per limit.

    All rates are powers of two and all times whole, so that floats are exact.
    """

    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits(lease=1e9)
        self.naive = {limit.id: NaiveLimit(limit) for limit in POOL}
        self.now = 0.0

    def cost(self, limit: Limit, tokens: int) -> int:
        return tokens if limit.kind is Kind.TOKENS else 1

    @rule(seconds=st.integers(0, 10))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(
        target=calls,
        of=st.lists(st.sampled_from(POOL), unique=True, min_size=1).map(tuple),
        tokens=st.integers(0, 140),
    )
    def admit(self, of: tuple[Limit, ...], tokens: int) -> NaiveCall | None:
        fits = all(
            self.naive[limit.id].taken(self.now) + self.cost(limit, tokens) <= limit.amount
            for limit in of
        )
        result = self.limits.admit(of, tokens, self.now)
        assert isinstance(result, Admission) is fits
        if not isinstance(result, Admission):
            return None
        for limit in of:
            naive = self.naive[limit.id]
            if limit.kind is Kind.REQUESTS:
                naive.level += 1
            else:
                naive.held += self.cost(limit, tokens)
        return NaiveCall(of, tokens, result)

    @rule(call=calls, used=st.integers(0, 200), cancelled=st.booleans())
    def end(self, call: NaiveCall | None, used: int, cancelled: bool) -> None:
        if call is None:
            return
        if cancelled:
            self.limits.cancel(call.admission, self.now)
        else:
            self.limits.settle(call.admission, used, self.now)
        if call.ended:
            return
        call.ended = True
        for limit in call.of:
            naive = self.naive[limit.id]
            naive.taken(self.now)
            if limit.kind is Kind.REQUESTS:
                naive.level = max(0.0, naive.level - cancelled)
            else:
                naive.held -= self.cost(limit, call.tokens)
            if limit.kind is Kind.TOKENS and not cancelled:
                naive.level += used

    @invariant()
    def same_remaining(self) -> None:
        for limit in POOL:
            remaining = max(0, int(limit.amount - self.naive[limit.id].taken(self.now)))
            assert self.limits.standing([limit], self.now)[limit.kind].remaining == remaining


LimitsMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLimitsMachine = LimitsMachine.TestCase
