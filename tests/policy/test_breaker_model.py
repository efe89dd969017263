"""The breaker against a model that keeps everything that ever happened and counts it anew."""

import math
import random
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import settings as configure
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from llmitm.policy.breaker import Admission, Breaker, BreakerSettings, State
from llmitm.policy.outcome import Outcome
from llmitm.policy.window import SLOTS

BAD = {Outcome.SERVER_ERROR, Outcome.TIMEOUT, Outcome.NETWORK_ERROR}


@dataclass
class Leave:
    epoch: int
    probe: bool
    until: float = math.inf
    back: bool = False


@dataclass
class Model:
    """Times are quarter seconds and windows multiples of `SLOTS`, so that nothing rounds."""

    settings: BreakerSettings
    state: State = State.CLOSED
    epoch: int = 0
    opened: float = 0.0
    forced: bool = False
    cooldown: float = 0.0
    events: list[tuple[float, bool]] = field(default_factory=list)
    leaves: list[Leave] = field(default_factory=list)
    changes: list[tuple[State, State]] = field(default_factory=list)

    def go(self, state: State) -> None:
        if state is not self.state:
            self.changes.append((self.state, state))
        self.state = state
        self.epoch += 1
        if state is State.CLOSED:
            self.events = []

    def seen(self, now: float) -> State:
        over = now >= self.opened + self.settings.open_for
        if self.state is State.OPEN and over and not self.forced:
            return State.HALF_OPEN
        return self.state

    def probing(self, now: float) -> int:
        return sum(
            leave.probe and leave.epoch == self.epoch and not leave.back and now < leave.until
            for leave in self.leaves
        )

    def available(self, now: float) -> bool:
        if now < self.cooldown:
            return False
        state = self.seen(now)
        if state is State.HALF_OPEN:
            return self.probing(now) < self.settings.half_open_probes
        return state is State.CLOSED

    def admit(self, now: float) -> Leave | None:
        if not self.available(now):
            return None
        if self.state is State.OPEN:
            self.go(State.HALF_OPEN)
        probe = self.state is State.HALF_OPEN
        until = now + self.settings.open_for if probe else math.inf
        self.leaves.append(Leave(self.epoch, probe, until))
        return self.leaves[-1]

    def record(self, leave: Leave, outcome: Outcome, now: float, duration: float) -> None:
        if leave.epoch != self.epoch:
            return
        slow = self.settings.slow_call
        late = slow is not None and duration >= slow
        if outcome in BAD or (outcome is Outcome.SUCCESS and late):
            self.events.append((now, True))
            if self.state is State.HALF_OPEN or self.trips(now):
                self.opened = now
                self.go(State.OPEN)
        elif outcome is Outcome.SUCCESS:
            if self.state is State.HALF_OPEN:
                self.go(State.CLOSED)
            self.events.append((now, False))
        else:
            leave.back = True

    def counts(self, now: float) -> tuple[int, int]:
        width = self.settings.window / SLOTS
        recent = [bad for at, bad in self.events if at // width > now // width - SLOTS]
        return recent.count(False), recent.count(True)

    def streak(self) -> int:
        last_good = max((i for i, (_, bad) in enumerate(self.events) if not bad), default=-1)
        return len(self.events) - 1 - last_good

    def trips(self, now: float) -> bool:
        limits = self.settings
        if not limits.enabled:
            return False
        if limits.consecutive_failures and self.streak() >= limits.consecutive_failures:
            return True
        good, bad = self.counts(now)
        rate = limits.failure_rate
        return rate is not None and good + bad >= limits.min_calls and bad / (good + bad) >= rate

    def reset(self) -> None:
        self.forced, self.cooldown = False, 0.0
        self.go(State.CLOSED)

    def configure(self, settings: BreakerSettings, now: float) -> None:
        self.settings = settings
        troubled = self.state is not State.CLOSED or now < self.cooldown
        if not settings.enabled and not self.forced and troubled:
            self.reset()


class Pair:
    """The same happens to the breaker and to the model."""

    def __init__(self, settings: BreakerSettings) -> None:
        self.now = 0.0
        self.changes: list[tuple[State, State]] = []
        self.real = Breaker(settings, lambda before, after: self.changes.append((before, after)))
        self.model = Model(settings)
        self.calls: list[tuple[Admission, Leave]] = []

    def advance(self, quarters: int) -> None:
        self.now += quarters / 4

    def admit(self) -> None:
        real, model = self.real.admit(self.now), self.model.admit(self.now)
        assert (real is None) is (model is None)
        if real is not None and model is not None:
            assert real.probe is model.probe
            self.calls.append((real, model))

    def record(self, index: int, outcome: Outcome, duration: float) -> None:
        real, model = self.calls.pop(index % len(self.calls))
        self.real.record(real, outcome, self.now, duration)
        self.model.record(model, outcome, self.now, duration)

    def release(self, index: int) -> None:
        real, model = self.calls.pop(index % len(self.calls))
        self.real.release(real)
        model.back = True

    def cooldown(self, quarters: int) -> None:
        until = self.now + quarters / 4
        self.real.cooldown(until)
        if self.model.settings.enabled:
            self.model.cooldown = max(self.model.cooldown, until)

    def reset(self) -> None:
        self.real.reset()
        self.model.reset()

    def force_open(self) -> None:
        self.real.force_open(self.now)
        self.model.forced, self.model.opened = True, self.now
        self.model.go(State.OPEN)

    def configure(self, **changes: Any) -> None:
        settings = replace(self.model.settings, **changes)
        self.real.configure(settings, self.now)
        self.model.configure(settings, self.now)

    def check(self) -> None:
        snapshot, model = self.real.snapshot(self.now), self.model
        assert snapshot.state is model.seen(self.now)
        assert (snapshot.success_count, snapshot.failure_count) == model.counts(self.now)
        assert snapshot.consecutive_failures == model.streak()
        assert snapshot.probes == model.probing(self.now)
        assert self.real.available(self.now) == model.available(self.now)
        assert self.changes == model.changes


SETTINGS = st.builds(
    BreakerSettings,
    consecutive_failures=st.none() | st.integers(1, 4),
    failure_rate=st.none() | st.sampled_from([0.25, 0.5, 1.0]),
    window=st.sampled_from([10.0, 20.0]),
    min_calls=st.integers(1, 6),
    slow_call=st.none() | st.just(5.0),
    open_for=st.sampled_from([2.0, 5.0]),
    half_open_probes=st.integers(1, 3),
)
CHANGES = st.sampled_from(
    [
        {"consecutive_failures": 1},
        {"consecutive_failures": None},
        {"failure_rate": 0.25},
        {"open_for": 4.0},
        {"half_open_probes": 2},
        {"slow_call": 1.0},
        {"enabled": False},
        {"enabled": True},
    ]
)
started = precondition(lambda self: self.pair is not None)
busy = precondition(lambda self: self.pair is not None and self.pair.calls)


class BreakerMachine(RuleBasedStateMachine):
    pair: Pair | None = None

    @precondition(lambda self: self.pair is None)
    @rule(settings=SETTINGS)
    def begin(self, settings: BreakerSettings) -> None:
        self.pair = Pair(settings)

    @started
    @rule(quarters=st.integers(1, 30))
    def advance(self, quarters: int) -> None:
        self.the.advance(quarters)

    @started
    @rule()
    def admit(self) -> None:
        self.the.admit()

    @busy
    @rule(
        index=st.integers(0, 99),
        outcome=st.sampled_from(Outcome),
        duration=st.sampled_from([0.5, 9.0]),
    )
    def record(self, index: int, outcome: Outcome, duration: float) -> None:
        self.the.record(index, outcome, duration)

    @busy
    @rule(index=st.integers(0, 99))
    def release(self, index: int) -> None:
        self.the.release(index)

    @started
    @rule(quarters=st.integers(0, 20))
    def cooldown(self, quarters: int) -> None:
        self.the.cooldown(quarters)

    @started
    @rule()
    def reset(self) -> None:
        self.the.reset()

    @started
    @rule()
    def force_open(self) -> None:
        self.the.force_open()

    @started
    @rule(changes=CHANGES)
    def configure(self, changes: dict[str, Any]) -> None:
        self.the.configure(**changes)

    @invariant()
    def agrees(self) -> None:
        if self.pair is not None:
            self.pair.check()

    @property
    def the(self) -> Pair:
        assert self.pair is not None
        return self.pair


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = configure(max_examples=150, stateful_step_count=60, deadline=None)


def step(pair: Pair, rng: random.Random) -> None:
    """One random event; failures come in spells, so that every state is visited."""
    action = rng.choices(
        ["admit", "record", "release", "cooldown", "reset", "force_open", "advance"],
        [400, 350, 20, 5, 1, 1, 220],
    )[0]
    if action in ("record", "release") and not pair.calls:
        action = "admit"
    match action:
        case "record":
            bad = rng.random() < (0.5 if math.sin(pair.now / 7) > 0.2 else 0.05)
            neutral = [Outcome.SUCCESS, Outcome.SUCCESS, Outcome.CLIENT_ERROR]
            outcome = rng.choice(sorted(BAD) if bad else neutral)
            pair.record(rng.randrange(99), outcome, rng.choice([0.5, 9.0]))
        case "release":
            pair.release(rng.randrange(99))
        case "cooldown" | "advance":
            getattr(pair, action)(rng.randrange(4))
        case _:
            getattr(pair, action)()


@pytest.mark.parametrize("seed", range(5))
def test_ten_thousand_events(seed: int) -> None:
    """No difference to the model in 10,000 random events, which visit every transition."""
    pair = Pair(BreakerSettings(4, 0.5, window=10.0, min_calls=8, open_for=1.0, half_open_probes=2))
    rng = random.Random(seed)
    for _ in range(10_000):
        step(pair, rng)
        if pair.model.forced and rng.random() < 0.1:
            pair.reset()
        pair.check()
    assert set(pair.changes) >= {
        (State.CLOSED, State.OPEN),
        (State.OPEN, State.HALF_OPEN),
        (State.HALF_OPEN, State.OPEN),
        (State.HALF_OPEN, State.CLOSED),
    }
