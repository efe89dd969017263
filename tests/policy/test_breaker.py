from dataclasses import replace

import pytest

from llmitm.policy.breaker import Admission, Breaker, BreakerSettings, State, Verdict
from llmitm.policy.outcome import Failure, Outcome

OK, FAIL, IGNORE = Outcome.SUCCESS, Outcome.SERVER_ERROR, Outcome.CLIENT_ERROR
STREAK = BreakerSettings(consecutive_failures=3, failure_rate=None)
RATE = BreakerSettings(consecutive_failures=None, failure_rate=0.5, min_calls=4)


def call(
    breaker: Breaker, now: float, outcome: Outcome = OK, duration: float = 0.1
) -> Verdict | None:
    """One call that begins and ends `now`; None where it was not admitted."""
    admission = breaker.admit(now)
    return None if admission is None else breaker.record(admission, outcome, now, duration)


def admitted(breaker: Breaker, now: float) -> Admission:
    admission = breaker.admit(now)
    assert admission is not None
    return admission


def opened(settings: BreakerSettings = STREAK, at: float = 0.0) -> Breaker:
    breaker = Breaker(settings)
    for _ in range(3):
        call(breaker, at, FAIL)
    assert breaker.state(at) is State.OPEN
    return breaker


def half_open(probes: int = 1) -> tuple[Breaker, Admission]:
    """A breaker at 30 s with its first probe under way."""
    breaker = opened(replace(STREAK, half_open_probes=probes))
    return breaker, admitted(breaker, 30.0)


SCHEDULES = {
    "stays closed on success": (STREAK, [OK] * 20, State.CLOSED),
    "stays closed below the streak": (STREAK, [FAIL, FAIL], State.CLOSED),
    "opens on a streak": (STREAK, [FAIL, FAIL, FAIL], State.OPEN),
    "a success ends the streak": (STREAK, [FAIL, FAIL, OK, FAIL, FAIL], State.CLOSED),
    "a client error does not end it": (STREAK, [FAIL, FAIL, IGNORE, FAIL], State.OPEN),
    "client errors do not count": (STREAK, [IGNORE] * 20, State.CLOSED),
    "rate limits do not count": (STREAK, [Outcome.RATE_LIMIT] * 20, State.CLOSED),
    "own refusals do not count": (STREAK, [Outcome.CIRCUIT_BREAKER_OPEN] * 20, State.CLOSED),
    "timeouts count": (STREAK, [Outcome.TIMEOUT] * 3, State.OPEN),
    "network errors count": (STREAK, [Outcome.NETWORK_ERROR] * 3, State.OPEN),
    "opens on the rate": (RATE, [OK, FAIL, OK, FAIL], State.OPEN),
    "not below the rate": (RATE, [OK, OK, FAIL, OK, FAIL], State.CLOSED),
    "not below the minimum of calls": (RATE, [FAIL, FAIL, FAIL], State.CLOSED),
    "a success never opens it": (RATE, [FAIL, FAIL, FAIL, OK], State.CLOSED),
    "client errors are no calls": (RATE, [IGNORE, IGNORE, FAIL, FAIL], State.CLOSED),
    "off": (replace(STREAK, enabled=False), [FAIL] * 20, State.CLOSED),
}


@pytest.mark.parametrize(("settings", "outcomes", "expected"), SCHEDULES.values(), ids=SCHEDULES)
def test_opens(settings: BreakerSettings, outcomes: list[Outcome], expected: State) -> None:
    """Opens on a streak or a rate of failures, and on nothing else."""
    breaker = Breaker(settings)
    for outcome in outcomes:
        call(breaker, 1.0, outcome)
    assert breaker.state(1.0) is expected


def test_rate_forgets_what_left_the_window() -> None:
    """Old failures do not count towards the rate."""
    breaker = Breaker(replace(RATE, window=10.0))
    for now in (0.0, 1.0, 2.0):
        call(breaker, now, FAIL)
    call(breaker, 15.0, FAIL)
    assert breaker.state(15.0) is State.CLOSED


def test_slow_calls_are_failures() -> None:
    """A success that took too long counts as a failure; a fast one does not."""
    breaker = Breaker(replace(STREAK, slow_call=3.0))
    assert call(breaker, 0.0, OK, duration=2.9) is Verdict.SUCCESS
    assert [call(breaker, 0.0, OK, duration=3.0) for _ in range(3)] == [Verdict.SLOW] * 3
    assert breaker.state(0.0) is State.OPEN


def test_refuses_while_open() -> None:
    """Admits nothing for `open_for`, and says for how long."""
    breaker = opened()
    assert breaker.admit(29.9) is None
    assert not breaker.available(29.9)
    assert breaker.refusal(29.9) is Failure.CIRCUIT_OPEN
    assert breaker.retry_in(20.0) == 10.0


def test_half_open_admits_its_probes() -> None:
    """After `open_for` it admits the probes; the others are refused at once."""
    breaker, first = half_open(probes=2)
    second = admitted(breaker, 30.0)
    assert first.probe
    assert second.probe
    assert breaker.admit(30.0) is None
    assert breaker.snapshot(30.0).probes == 2


def test_available_takes_no_probe() -> None:
    """Asking whether a call would be admitted takes no slot."""
    breaker = opened()
    assert [breaker.available(30.0) for _ in range(5)] == [True] * 5
    assert breaker.admit(30.0) is not None
    assert not breaker.available(30.0)


def test_success_closes() -> None:
    """A probe's success closes the circuit and forgets the failures."""
    breaker, probe = half_open()
    breaker.record(probe, OK, 31.0, 0.1)
    snapshot = breaker.snapshot(31.0)
    assert snapshot.state is State.CLOSED
    assert (snapshot.failure_count, snapshot.success_count) == (0, 1)
    assert snapshot.consecutive_failures == 0


@pytest.mark.parametrize("outcome", [FAIL, Outcome.TIMEOUT, Outcome.NETWORK_ERROR])
def test_failure_reopens(outcome: Outcome) -> None:
    """A probe's failure opens the circuit for another `open_for`."""
    breaker, probe = half_open()
    breaker.record(probe, outcome, 31.0, 0.1)
    assert breaker.admit(60.9) is None
    assert breaker.admit(61.0) is not None


@pytest.mark.parametrize("outcome", [IGNORE, Outcome.RATE_LIMIT])
def test_a_probe_without_verdict_gives_its_slot_back(outcome: Outcome) -> None:
    """A probe that says nothing about health leaves the state and frees the slot."""
    breaker, probe = half_open()
    breaker.record(probe, outcome, 31.0, 0.1)
    assert breaker.state(31.0) is State.HALF_OPEN
    assert breaker.available(31.0)


def test_a_cancelled_probe_gives_its_slot_back() -> None:
    """A released probe can be followed by another; releasing twice does no harm."""
    breaker, probe = half_open()
    breaker.release(probe)
    breaker.release(probe)
    other = admitted(breaker, 31.0)
    breaker.release(probe)
    assert not breaker.available(31.0)
    assert other.probe


def test_a_lost_probe_does_not_wedge() -> None:
    """A probe that never reports loses its slot; if it reports after all, it still counts."""
    breaker, probe = half_open()
    assert breaker.admit(59.9) is None
    assert breaker.admit(60.0) is not None
    breaker.record(probe, OK, 70.0, 40.0)
    assert breaker.state(70.0) is State.CLOSED


def test_late_success_does_not_close() -> None:
    """The success of a call from before the circuit opened does not close it."""
    breaker = Breaker(STREAK)
    early = admitted(breaker, 0.0)
    for _ in range(3):
        call(breaker, 0.0, FAIL)
    assert breaker.record(early, OK, 1.0, 1.0) is Verdict.SUCCESS
    assert breaker.state(1.0) is State.OPEN
    assert breaker.admit(30.0) is not None
    breaker.record(early, OK, 30.0, 1.0)
    assert breaker.state(30.0) is State.HALF_OPEN


def test_late_failures_do_not_reopen() -> None:
    """Failures of calls from before do not touch a circuit that recovered meanwhile."""
    breaker = Breaker(STREAK)
    early = [admitted(breaker, 0.0) for _ in range(9)]
    for admission in early[:3]:
        breaker.record(admission, FAIL, 1.0, 1.0)
    assert call(breaker, 31.0, OK) is Verdict.SUCCESS
    for admission in early[3:]:
        breaker.record(admission, FAIL, 32.0, 32.0)
    assert breaker.state(32.0) is State.CLOSED
    assert breaker.snapshot(32.0).failure_count == 0


def test_late_failures_do_not_prolong() -> None:
    """Failures that arrive while it is open do not keep the circuit open for longer."""
    breaker = Breaker(STREAK)
    early = [admitted(breaker, 0.0) for _ in range(9)]
    for second, admission in enumerate(early):
        breaker.record(admission, FAIL, float(second), 1.0)
    assert breaker.retry_in(8.0) == 24.0


def test_cooldown() -> None:
    """Refuses until the time, without a failure or a change of state; the longest one counts."""
    breaker = Breaker()
    breaker.cooldown(10.0)
    breaker.cooldown(5.0)
    assert breaker.admit(9.9) is None
    assert breaker.state(9.9) is State.CLOSED
    assert breaker.refusal(9.9) is Failure.COOLDOWN
    assert breaker.retry_in(4.0) == 6.0
    assert breaker.snapshot(4.0).cooldown_until == 10.0
    assert breaker.admit(10.0) is not None
    assert breaker.snapshot(10.0).cooldown_until is None


def test_cooldown_holds_back_probes() -> None:
    """A circuit that would probe waits for the cooldown's end too."""
    breaker = opened()
    breaker.cooldown(40.0)
    assert breaker.admit(35.0) is None
    assert breaker.retry_in(0.0) == 40.0
    assert admitted(breaker, 40.0).probe


def test_results_during_a_cooldown_count() -> None:
    """Calls admitted before a cooldown still report on the same epoch."""
    breaker = Breaker(STREAK)
    early = [admitted(breaker, 0.0) for _ in range(3)]
    breaker.cooldown(10.0)
    for admission in early:
        breaker.record(admission, FAIL, 1.0, 1.0)
    assert breaker.state(1.0) is State.OPEN


def test_on_change() -> None:
    """Reports every change of state, once, after it happened."""
    changes: list[tuple[State, State]] = []
    breaker = Breaker(STREAK, lambda before, after: changes.append((before, after)))
    for now in (0.0, 0.0, 0.0, 30.0):
        call(breaker, now, FAIL)
    call(breaker, 60.0, OK)
    breaker.force_open(61.0)
    breaker.reset()
    breaker.reset()
    assert changes == [
        (State.CLOSED, State.OPEN),
        (State.OPEN, State.HALF_OPEN),
        (State.HALF_OPEN, State.OPEN),
        (State.OPEN, State.HALF_OPEN),
        (State.HALF_OPEN, State.CLOSED),
        (State.CLOSED, State.OPEN),
        (State.OPEN, State.CLOSED),
    ]


def test_reset() -> None:
    """Closes, ends a cooldown, forgets the counts and what is still under way."""
    breaker = Breaker(STREAK)
    early = admitted(breaker, 0.0)
    for _ in range(3):
        call(breaker, 0.0, FAIL)
    breaker.cooldown(100.0)
    breaker.reset()
    breaker.record(early, FAIL, 1.0, 1.0)
    snapshot = breaker.snapshot(1.0)
    assert snapshot.state is State.CLOSED
    assert (snapshot.failure_count, snapshot.consecutive_failures) == (0, 0)
    assert breaker.admit(1.0) is not None


def test_force_open() -> None:
    """Stays open until reset, whatever is reported and however long it takes."""
    breaker = Breaker()
    early = admitted(breaker, 0.0)
    breaker.force_open(0.0)
    breaker.record(early, OK, 1.0, 1.0)
    assert breaker.admit(1e9) is None
    assert breaker.retry_in(1e9) is None
    assert breaker.snapshot(1e9).next_retry_at is None
    breaker.reset()
    assert breaker.admit(1e9) is not None


def test_force_open_works_on_a_breaker_that_is_off() -> None:
    """An operator's word counts where the automatic is off."""
    breaker = Breaker(BreakerSettings(enabled=False))
    breaker.force_open(0.0)
    assert breaker.admit(1.0) is None


def test_snapshot() -> None:
    """Shows what an operator needs to see."""
    breaker = opened(at=7.0)
    snapshot = breaker.snapshot(8.0)
    assert snapshot.state is State.OPEN
    assert (snapshot.failure_count, snapshot.success_count) == (3, 0)
    assert snapshot.consecutive_failures == 3
    assert snapshot.last_failure == 7.0
    assert snapshot.next_retry_at == 37.0
    assert breaker.snapshot(37.0).state is State.HALF_OPEN


def test_settings_apply_to_the_state_as_it_is() -> None:
    """New settings keep counts and state: thresholds and times count from now on."""
    breaker = Breaker(STREAK)
    call(breaker, 0.0, FAIL)
    breaker.configure(replace(STREAK, consecutive_failures=2, open_for=5.0), 0.0)
    call(breaker, 0.0, FAIL)
    assert breaker.state(0.0) is State.OPEN
    breaker.configure(replace(STREAK, open_for=60.0), 1.0)
    assert breaker.retry_in(1.0) == 59.0


def test_a_new_window_keeps_the_counts() -> None:
    """A longer window goes on counting what the shorter one held."""
    breaker = Breaker(replace(RATE, window=10.0))
    for outcome in (FAIL, OK, FAIL):
        call(breaker, 0.0, outcome)
    breaker.configure(replace(RATE, window=100.0), 5.0)
    call(breaker, 50.0, FAIL)
    assert breaker.state(50.0) is State.OPEN


def test_turning_it_off_closes() -> None:
    """A breaker that is turned off admits everything, also during a cooldown."""
    breaker = opened()
    breaker.cooldown(100.0)
    breaker.configure(replace(STREAK, enabled=False), 1.0)
    assert call(breaker, 1.0, FAIL) is Verdict.FAILURE
    breaker.cooldown(100.0)
    assert breaker.admit(2.0) is not None


def test_following_another_process() -> None:
    """Opens as if it had tripped itself, and closes, without a say in what was forced."""
    breaker = Breaker(STREAK)
    breaker.trip(5.0)
    breaker.trip(20.0)
    assert breaker.retry_in(5.0) == STREAK.open_for
    assert breaker.admit(34.0) is None
    breaker.close()
    assert admitted(breaker, 34.0)
    off = Breaker(replace(STREAK, enabled=False))
    off.trip(5.0)
    assert off.state(5.0) is State.CLOSED
    breaker.force_open(40.0)
    breaker.close()
    assert breaker.admit(99.0) is None
