"""Circuit breaker: closed → open → half-open → closed, one per target.

After Martin Fowler's "CircuitBreaker", with a sliding failure rate and slow calls beside the
streak of failures. All times are monotonic seconds that the caller passes in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from llmitm.policy.outcome import Failure, Outcome
from llmitm.policy.window import Window


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Verdict(StrEnum):
    """What a recorded call counted as."""

    SUCCESS = "success"
    FAILURE = "failure"
    SLOW = "slow"  # a success that took too long: counted as a failure
    IGNORED = "ignored"  # says nothing about the target's health


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """When a circuit opens and how it closes again; None turns a trigger off.

    It opens on `consecutive_failures`, or when at least `min_calls` calls of the last `window`
    seconds failed at a rate of `failure_rate`. A call that takes `slow_call` seconds counts as
    failed. Open for `open_for` seconds, it then lets `half_open_probes` calls at a time through.
    """

    consecutive_failures: int | None = 3
    failure_rate: float | None = 0.5
    window: float = 60.0
    min_calls: int = 10
    slow_call: float | None = None
    open_for: float = 30.0
    half_open_probes: int = 1
    enabled: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Admission:
    """Leave to call the target once; given back to the breaker with the call's outcome.

    The epoch tells results of calls that were admitted before the last change of state, which
    say nothing about the present one.
    """

    epoch: int
    probe: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A breaker as operators see it. Counts are those of the window, times monotonic seconds."""

    state: State
    success_count: int
    failure_count: int
    consecutive_failures: int
    last_failure: float | None
    next_retry_at: float | None
    cooldown_until: float | None
    probes: int
    forced: bool


_SUCCESS = Outcome.SUCCESS
_FAILURES = (Outcome.SERVER_ERROR, Outcome.TIMEOUT, Outcome.NETWORK_ERROR)
_LONG_AGO = float("-inf")


class Breaker:
    """The breaker of one target. `on_change(from, to)` is called after each change of state.

    `admit` and then exactly one of `record` or `release`; a probe that does neither loses its
    slot after `open_for` seconds, so that a lost call cannot keep the circuit half-open.
    """

    __slots__ = (
        "_cooldown",
        "_epoch",
        "_forced",
        "_last_failure",
        "_on_change",
        "_opened",
        "_pass",
        "_probes",
        "_settings",
        "_state",
        "_streak",
        "_window",
    )

    def __init__(
        self,
        settings: BreakerSettings | None = None,
        on_change: Callable[[State, State], None] | None = None,
    ) -> None:
        self._settings = settings or BreakerSettings()
        self._on_change = on_change
        self._window = Window(self._settings.window)
        self._state = State.CLOSED
        self._epoch = 0
        self._streak = 0
        self._opened = self._cooldown = _LONG_AGO
        self._last_failure: float | None = None
        self._forced = False
        self._probes: dict[Admission, float] = {}  # → when its slot is taken back
        # What `admit` hands out while nothing speaks against it: the whole closed path is
        # one attribute and one comparison.
        self._pass: Admission | None = Admission(0, probe=False)

    def admit(self, now: float) -> Admission | None:
        """Leave to call the target, or None. `available` asks the same and takes nothing."""
        if self._pass is not None:
            return self._pass
        if not self.available(now):
            return None
        if self._state is State.CLOSED:
            self._pass = Admission(self._epoch, probe=False)
            return self._pass
        if self._state is State.OPEN:
            self._enter(State.HALF_OPEN)
        return self._probe(now)

    def available(self, now: float) -> bool:
        """Whether `admit` would admit a call."""
        if self._pass is not None:
            return True
        if now < self._cooldown:
            return False
        state = self.state(now)
        if state is State.HALF_OPEN:
            return self._probing(now) < self._settings.half_open_probes
        return state is State.CLOSED

    def record(
        self, admission: Admission, outcome: Outcome, now: float, duration: float
    ) -> Verdict:
        """Learn how an admitted call of `duration` seconds ended; returns what it counts as.

        A late result, of a call admitted before the last change of state, changes nothing.
        """
        verdict = self._judge(outcome, duration)
        if admission.epoch != self._epoch:
            return verdict
        if verdict is Verdict.SUCCESS:
            self._succeed(now)
        elif verdict is Verdict.IGNORED:
            self.release(admission)
        else:
            self._fail(now)
        return verdict

    def release(self, admission: Admission) -> None:
        """Give back the slot of a call that ended without telling anything, a cancelled one."""
        self._probes.pop(admission, None)

    def cooldown(self, until: float) -> None:
        """Admit nothing before `until`: the target said when it wants to be asked again.

        No failure, and no change of state. The caller bounds `until`.
        """
        if self._settings.enabled and until > self._cooldown:
            self._cooldown = until
            self._pass = None

    def state(self, now: float) -> State:
        """The state; an open circuit counts as half-open from when a probe would be admitted."""
        if self._state is State.OPEN and not self._forced and now >= self._retry_at:
            return State.HALF_OPEN
        return self._state

    def refusal(self, now: float) -> Failure:
        """Why `admit` refuses: a cooldown, or the circuit."""
        return Failure.COOLDOWN if self.state(now) is State.CLOSED else Failure.CIRCUIT_OPEN

    def retry_in(self, now: float) -> float | None:
        """Seconds until a call may be admitted; None for a circuit that was forced open."""
        if self._forced:
            return None
        until = self._retry_at if self._state is State.OPEN else _LONG_AGO
        return max(0.0, until - now, self._cooldown - now)

    def snapshot(self, now: float) -> Snapshot:
        successes, failures = self._window.counts(now)
        waits = self._state is State.OPEN and not self._forced
        return Snapshot(
            state=self.state(now),
            success_count=successes,
            failure_count=failures,
            consecutive_failures=self._streak,
            last_failure=self._last_failure,
            next_retry_at=self._retry_at if waits else None,
            cooldown_until=self._cooldown if now < self._cooldown else None,
            probes=self._probing(now),
            forced=self._forced,
        )

    def reset(self) -> None:
        """Close the circuit, end a cooldown, forget what was counted."""
        self._forced = False
        self._cooldown = _LONG_AGO
        self._enter(State.CLOSED)

    def trip(self, now: float) -> None:
        """Open a closed circuit: somebody else found out that the target fails."""
        if self._settings.enabled and self._state is State.CLOSED:
            self._opened = now
            self._enter(State.OPEN)

    def close(self) -> None:
        """Close a circuit that was not forced open: somebody else found the target well."""
        if self._state is not State.CLOSED and not self._forced:
            self._enter(State.CLOSED)

    def force_open(self, now: float) -> None:
        """Open the circuit until `reset`, whatever calls report."""
        self._forced = True
        self._opened = now
        self._enter(State.OPEN)

    def configure(self, settings: BreakerSettings, now: float) -> None:
        """Go by new settings from now on; state and counts stay.

        Turning the breaker off closes a circuit that was not forced open.
        """
        self._settings = settings
        self._window.resize(settings.window, now)
        if not settings.enabled and not self._forced and self._pass is None:
            self.reset()

    @property
    def _retry_at(self) -> float:
        return self._opened + self._settings.open_for

    def _judge(self, outcome: Outcome, duration: float) -> Verdict:
        if outcome is _SUCCESS:
            slow = self._settings.slow_call
            return Verdict.SUCCESS if slow is None or duration < slow else Verdict.SLOW
        return Verdict.FAILURE if outcome in _FAILURES else Verdict.IGNORED

    def _succeed(self, now: float) -> None:
        if self._state is State.HALF_OPEN:
            self._enter(State.CLOSED)
        self._streak = 0
        self._window.add(now, failed=False)

    def _fail(self, now: float) -> None:
        self._last_failure = now
        self._streak += 1
        self._window.add(now, failed=True)
        if self._state is State.HALF_OPEN or self._tripped(now):
            self._opened = now
            self._enter(State.OPEN)

    def _tripped(self, now: float) -> bool:
        """Whether this failure opens the circuit.

        A success never does, not even as the call that completes `min_calls`.
        """
        limits = self._settings
        if not limits.enabled:
            return False
        if limits.consecutive_failures is not None and self._streak >= limits.consecutive_failures:
            return True
        if limits.failure_rate is None:
            return False
        successes, failures = self._window.counts(now)
        calls = successes + failures
        return calls >= limits.min_calls and failures >= limits.failure_rate * calls

    def _probing(self, now: float) -> int:
        return sum(now < until for until in self._probes.values())

    def _probe(self, now: float) -> Admission:
        self._probes = {probe: until for probe, until in self._probes.items() if now < until}
        probe = Admission(self._epoch, probe=True)
        self._probes[probe] = now + self._settings.open_for
        return probe

    def _enter(self, state: State) -> None:
        before, self._state = self._state, state
        self._epoch += 1
        self._probes = {}
        self._pass = None
        if state is State.CLOSED:
            self._streak = 0
            self._window.clear()
        if before is not state and self._on_change is not None:
            self._on_change(before, state)
