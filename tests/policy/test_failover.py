import random
from dataclasses import dataclass
from typing import Any

import pytest

from llmitm.errors import Cause
from llmitm.policy.failover import (
    Context,
    Decision,
    Deliver,
    Next,
    Retry,
    Stop,
    credential_refused,
    decide,
)
from llmitm.policy.outcome import AttemptOutcome, Failure
from llmitm.policy.provider_error import ProviderCode

TOO_LONG = ProviderCode.CONTEXT_LENGTH
FILTERED = ProviderCode.CONTENT_POLICY


@dataclass(frozen=True)
class Target:
    name: str
    context: int | None = None


ONE = (Target("a"),)
TWO = (Target("a"), Target("b"))
THREE = (Target("a"), Target("b"), Target("c"))


def out(
    what: int | Failure | ProviderCode = 503, target: str = "a", at: float = 0.0, **more: Any
) -> AttemptOutcome:
    """An outcome: a status, a failure, or a 400 with a provider's code."""
    if isinstance(what, Failure):
        return AttemptOutcome(target=target, at=at, failure=what, **more)
    if isinstance(what, ProviderCode):
        more.setdefault("status", 400)
        return AttemptOutcome(target=target, at=at, code=what, **more)
    return AttemptOutcome(target=target, at=at, status=what, **more)


class Longest(random.Random):
    """Draws the upper bound, so that a backoff is its whole step."""

    def uniform(self, a: float, b: float) -> float:
        return b


def choose(
    outcome: AttemptOutcome,
    *earlier: AttemptOutcome,
    targets: tuple[Target, ...] = ONE,
    **more: Any,
) -> Decision:
    return decide(outcome, Context(targets=targets, earlier=earlier, **more), Longest())


SILENT = [
    Failure.FIRST_BYTE_TIMEOUT,
    Failure.FIRST_TOKEN_TIMEOUT,
    Failure.BETWEEN_TOKENS_TIMEOUT,
    Failure.TOTAL_TIMEOUT,
]
BROKEN = [Failure.RESET, Failure.STREAM_CUT, Failure.MALFORMED, Failure.EMPTY]
TRANSIENT: list[int | Failure] = [
    408, 409, 500, 502, 503, 504, 529, 302, *BROKEN, Failure.CONNECT, Failure.CONNECT_TIMEOUT,
    Failure.UNFIT,
]  # fmt: skip
UNAVAILABLE = Stop(Cause.UPSTREAM_UNAVAILABLE)


@pytest.mark.parametrize("status", [200, 201, 204])
def test_success_is_delivered(status: int) -> None:
    """A whole answer goes to the client."""
    assert choose(out(status)) == Deliver()


@pytest.mark.parametrize("status", [400, 404, 405, 413, 415, 422])
@pytest.mark.parametrize("targets", [ONE, TWO])
def test_a_bad_request_is_delivered(status: int, targets: tuple[Target, ...]) -> None:
    """The provider's verdict on the request goes to the client, whoever else could be asked."""
    assert choose(out(status), targets=targets) == Deliver()


@pytest.mark.parametrize("what", [*TRANSIENT, *SILENT, 401, 402, 403, 429])
def test_another_target_is_asked_at_once(what: int | Failure) -> None:
    """Moves on to the next target without waiting, also past a Retry-After."""
    assert choose(out(what, retry_after=1.0), targets=THREE) == Next("b")
    assert choose(out(what, "b"), out(500, "a"), targets=THREE) == Next("c")


@pytest.mark.parametrize("what", TRANSIENT)
def test_the_only_target_is_asked_again_after_a_backoff(what: int | Failure) -> None:
    """Backs off exponentially where there is no one else to ask."""
    assert choose(out(what)) == Retry("a", 0.5)
    assert choose(out(what), out(500)) == Retry("a", 1.0)


def test_backoff_grows_as_the_policy_says() -> None:
    """The step before each further retry is the last one times the policy's multiplier."""
    assert choose(out(500), backoff_growth=3.0) == Retry("a", 0.5)
    assert choose(out(500), out(500), backoff_growth=3.0) == Retry("a", 1.5)


def test_back_to_the_first_after_all_failed() -> None:
    """Once every target was asked, the first is next, after its backoff."""
    decision = choose(out(500, "b"), out(500, "a"), targets=TWO)
    assert decision == Retry("a", 0.5)
    decision = choose(out(500, "a"), out(500, "a"), out(500, "b"), targets=TWO, attempts=4)
    assert decision == Retry("a", 1.0)


@pytest.mark.parametrize("what", SILENT)
def test_a_silent_target_is_not_asked_again(what: Failure) -> None:
    """A target that let a timeout pass is done for this call; the client learns of a timeout."""
    assert choose(out(what)) == Stop(Cause.UPSTREAM_TIMEOUT)
    assert choose(out(500, "b"), out(what, "a"), targets=TWO) == Retry("b", 0.5)


def test_a_model_that_never_complies() -> None:
    """Once every attempt brought an answer in another form, the client learns just that."""
    unfit = out(Failure.UNFIT)
    assert choose(unfit, unfit, unfit) == Stop(Cause.INVALID_RESPONSE)
    assert choose(out(500), unfit, unfit) == UNAVAILABLE


def test_a_request_that_a_target_cannot_be_asked() -> None:
    """Moves on to a target whose API can say it; the client hears of it where none can."""
    mute = Failure.UNTRANSLATABLE
    assert choose(out(mute), targets=TWO) == Next("b")
    assert choose(out(mute)) == Deliver()
    assert choose(out(mute, "b"), out(mute, "a"), targets=TWO) == Deliver()
    assert choose(out(mute, "b"), out(500, "a"), targets=TWO) == Retry("a", 0.5)
    assert choose(out(mute, "b"), out(500, "a"), targets=TWO, may_retry=False) == UNAVAILABLE
    shut = out(Failure.CIRCUIT_OPEN, "a")
    assert choose(out(mute, "b"), shut, targets=TWO) == Stop(Cause.CIRCUIT_OPEN)


@pytest.mark.parametrize("what", [401, 402, 403, ProviderCode.INSUFFICIENT_QUOTA])
def test_refused_credentials(what: int | ProviderCode) -> None:
    """Moves on where the provider refuses the gateway's account; else it is an outage."""
    assert credential_refused(out(what))
    assert choose(out(what), targets=TWO) == Next("b")
    assert choose(out(what)) == UNAVAILABLE
    assert choose(out(500, "b"), out(what, "a"), targets=TWO) == Retry("b", 0.5)


def test_an_exhausted_account_is_no_rate_limit() -> None:
    """429 insufficient_quota is not waited for, whatever Retry-After says."""
    outcome = out(ProviderCode.INSUFFICIENT_QUOTA, status=429, retry_after=1.0)
    assert credential_refused(outcome)
    assert choose(outcome) == UNAVAILABLE


@pytest.mark.parametrize("what", [200, 400, 429, 500, Failure.RESET, FILTERED])
def test_credentials_not_refused(what: int | Failure | ProviderCode) -> None:
    """Nothing else takes a target out."""
    assert not credential_refused(out(what))


def test_rate_limit_is_waited_for() -> None:
    """Waits exactly as long as told where there is no one else to ask."""
    assert choose(out(429, retry_after=7.0)) == Retry("a", 7.0)
    assert choose(out(429, retry_after=0.2)) == Retry("a", 0.2)


@pytest.mark.parametrize("hint", [None, 0.0])
def test_rate_limit_without_a_time(hint: float | None) -> None:
    """Backs off where the provider names no time, or none that means anything."""
    assert choose(out(429, retry_after=hint)) == Retry("a", 0.5)


def test_retry_after_counts_for_other_statuses_too() -> None:
    """A 503 may carry Retry-After as well (RFC 9110 §10.2.3)."""
    assert choose(out(503, retry_after=4.0)) == Retry("a", 4.0)


def test_rate_limit_beyond_the_deadline() -> None:
    """Does not wait for what comes too late, and passes the time on to the client."""
    stop = Stop(Cause.RATE_LIMITED, 30.0)
    assert choose(out(429, retry_after=30.0), deadline=30.0) == stop
    assert choose(out(429, retry_after=29.9), deadline=30.0) == Retry("a", 29.9)


def test_all_rate_limited() -> None:
    """Comes back to the target that is ready first, after what is left of its pause."""
    earlier = out(429, "a", at=0.0, retry_after=9.0)
    assert choose(out(429, "b", at=2.0, retry_after=8.0), earlier, targets=TWO) == Retry("a", 7.0)
    assert choose(out(429, "b", at=2.0, retry_after=3.0), earlier, targets=TWO) == Retry("b", 3.0)
    stop = choose(out(429, "b", at=2.0, retry_after=8.0), earlier, targets=TWO, attempts=2)
    assert stop == Stop(Cause.RATE_LIMITED, 7.0)


def test_a_pause_that_is_over() -> None:
    """A target whose pause passed while others were tried is asked at once."""
    earlier = out(429, "a", at=0.0, retry_after=2.0)
    assert choose(out(401, "b", at=3.0), earlier, targets=TWO) == Retry("a", 0.0)


def test_prefers_a_target_that_asked_for_no_pause() -> None:
    """Coming back, a failed target goes before one that asked to be left alone."""
    earlier = out(429, "a", retry_after=5.0)
    assert choose(out(500, "b"), earlier, targets=TWO) == Retry("b", 0.5)


def test_not_only_rate_limits() -> None:
    """One failure among rate limits makes it an outage, not a limit."""
    decision = choose(out(429, "b", retry_after=5.0), out(500, "a"), targets=TWO, attempts=2)
    assert decision == UNAVAILABLE


def test_attempts_are_bounded() -> None:
    """Stops after `attempts` requests, however many targets are left."""
    assert choose(out(500, "c"), out(500, "a"), out(500, "b"), targets=THREE) == UNAVAILABLE
    assert choose(out(500, "a"), targets=THREE, attempts=1) == UNAVAILABLE


def test_repeats_are_bounded() -> None:
    """Asks one target again at most `repeats` times."""
    assert choose(out(500), attempts=9, repeats=0) == UNAVAILABLE
    assert choose(out(500), out(500), attempts=9, repeats=1) == UNAVAILABLE


def test_deadline() -> None:
    """Starts nothing at or after the deadline."""
    assert choose(out(500, at=10.0), targets=TWO, deadline=10.0) == UNAVAILABLE
    assert choose(out(500, at=9.5), deadline=10.0) == UNAVAILABLE
    assert choose(out(500, at=9.0), deadline=10.0) == Retry("a", 0.5)
    assert choose(out(500, at=9.9), targets=TWO, deadline=10.0) == Next("b")


def test_retry_budget() -> None:
    """Without budget nothing is asked twice, but other targets still are asked."""
    assert choose(out(500), may_retry=False) == UNAVAILABLE
    assert choose(out(500), targets=TWO, may_retry=False) == Next("b")


def test_the_last_word_decides_the_cause() -> None:
    """A timeout last is a timeout; anything else is an outage."""
    assert choose(out(504), attempts=1) == UNAVAILABLE
    assert choose(out(Failure.CONNECT_TIMEOUT), attempts=1) == Stop(Cause.UPSTREAM_TIMEOUT)
    silent = out(Failure.FIRST_BYTE_TIMEOUT, "b")
    assert choose(silent, out(500), targets=TWO, attempts=2) == Stop(Cause.UPSTREAM_TIMEOUT)
    again = choose(out(500, "b"), out(Failure.FIRST_BYTE_TIMEOUT), targets=TWO, attempts=2)
    assert again == UNAVAILABLE


def test_a_conflict_that_stays_is_delivered() -> None:
    """A 409 that retries did not cure goes back as the provider said it."""
    assert choose(out(409), attempts=1) == Deliver()


SMALL, LARGE, HUGE = Target("a", 8_000), Target("b", 128_000), Target("c", 1_000_000)


@pytest.mark.parametrize("status", [400, 413, 500])
def test_too_long_goes_to_a_larger_context(status: int) -> None:
    """Moves to a target with a larger declared context, whatever status the refusal had."""
    assert choose(out(TOO_LONG, status=status), targets=(SMALL, LARGE)) == Next("b")


@pytest.mark.parametrize(
    "targets",
    [
        (SMALL,),
        (SMALL, Target("b")),
        (SMALL, Target("b", 8_000)),
        (SMALL, Target("b", 4_000)),
        (Target("a"), Target("b")),
    ],
)
def test_too_long_for_all(targets: tuple[Target, ...]) -> None:
    """Delivers the refusal where no target is known to be larger."""
    assert choose(out(TOO_LONG), targets=targets) == Deliver()


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [(None, "b"), (50_000, "b"), (128_000, "b"), (200_000, "c"), (5_000_000, "c")],
)
def test_too_long_prefers_one_that_fits(prompt: int | None, expected: str) -> None:
    """The first larger target that fits the estimate; if none does, the largest."""
    targets = (SMALL, LARGE, HUGE)
    assert choose(out(TOO_LONG), targets=targets, prompt_tokens=prompt) == Next(expected)


def test_too_long_twice() -> None:
    """After a second refusal only what is larger still is asked."""
    again = out(TOO_LONG, "b")
    assert choose(again, out(TOO_LONG, "a"), targets=(SMALL, LARGE, HUGE)) == Next("c")
    assert choose(again, out(TOO_LONG, "a"), targets=(SMALL, LARGE)) == Deliver()


def test_too_long_is_remembered() -> None:
    """A later failure does not lead back to a target that is too small."""
    targets = (SMALL, LARGE, Target("c", 4_000))
    assert choose(out(500, "b"), out(TOO_LONG, "a"), targets=targets) == Retry("b", 0.5)


def test_too_long_for_a_target_outside_the_plan() -> None:
    """A refusal by a target that the plan no longer lists bounds nothing."""
    assert choose(out(TOO_LONG, "x"), targets=(SMALL,)) == Next("a")


def test_content_policy_is_delivered() -> None:
    """A content refusal goes to the client, unless the operator wants another opinion."""
    assert choose(out(FILTERED), targets=TWO) == Deliver()
    assert choose(out(FILTERED, status=403), targets=TWO) == Deliver()
    elsewhere: dict[str, Any] = {"targets": TWO, "failover_on_content_policy": True}
    assert choose(out(FILTERED), **elsewhere) == Next("b")
    assert choose(out(FILTERED, "b"), out(FILTERED), **elsewhere) == Deliver()


def test_own_refusals_are_no_attempts() -> None:
    """A target whose circuit is open is passed by and costs no attempt."""
    refused = out(Failure.CIRCUIT_OPEN, "a")
    assert choose(refused, targets=TWO, attempts=1) == Next("b")
    assert choose(out(500, "b"), refused, targets=TWO, attempts=2) == Retry("b", 0.5)


def test_all_circuits_open() -> None:
    """Says so, and when the first may be tried; a real failure says more."""
    first, second = out(Failure.CIRCUIT_OPEN, "a", retry_after=20.0), out(Failure.CIRCUIT_OPEN, "b")
    assert choose(second, first, targets=TWO) == Stop(Cause.CIRCUIT_OPEN, 20.0)
    assert choose(first) == Stop(Cause.CIRCUIT_OPEN, 20.0)
    assert choose(second, out(500, "a"), targets=TWO, may_retry=False) == UNAVAILABLE


def test_cooldown_is_waited_for() -> None:
    """A target in its cooldown is waited for like a rate limit, but only if no other is left."""
    cooling = out(Failure.COOLDOWN, retry_after=3.0)
    assert choose(cooling, targets=TWO) == Next("b")
    assert choose(cooling) == Retry("a", 3.0)
    assert choose(cooling, deadline=2.0) == Stop(Cause.RATE_LIMITED, 3.0)


@pytest.mark.parametrize("what", [503, *BROKEN, *SILENT])
def test_a_request_that_cannot_be_sent_again(what: int | Failure) -> None:
    """Stops where part of the request's body is gone."""
    assert isinstance(choose(out(what, replayable=False), targets=TWO), Stop)


@pytest.mark.parametrize("what", [Failure.CONNECT, Failure.CONNECT_TIMEOUT, Failure.CIRCUIT_OPEN])
def test_what_was_never_sent_can_be_sent(what: Failure) -> None:
    """Connect errors are safe for every request."""
    assert choose(out(what, replayable=False), targets=TWO) == Next("b")


def test_a_bad_request_that_cannot_be_sent_again() -> None:
    """The provider's verdict is delivered all the same."""
    assert choose(out(400, replayable=False)) == Deliver()


@pytest.mark.parametrize("what", [*BROKEN, *SILENT, 529])
def test_a_committed_stream(what: int | Failure) -> None:
    """A stream the client already reads goes on elsewhere where it can, else it was cut."""
    outcome = out(what, committed=True)
    assert choose(outcome, targets=TWO) == Stop(Cause.STREAM_CUT)
    assert choose(outcome, targets=TWO, resume=True) == Next("b")
    assert choose(outcome, attempts=1, resume=True) == Stop(Cause.STREAM_CUT)


def test_a_refusal_after_commit_is_never_delivered() -> None:
    """A second target's 400 cannot follow half an answer; a third may still help."""
    outcome = out(400, "b", committed=True)
    assert choose(outcome, targets=TWO) == Stop(Cause.STREAM_CUT)
    cut = out(Failure.STREAM_CUT, committed=True)
    assert choose(outcome, cut, targets=THREE, resume=True) == Next("c")
    assert choose(outcome, cut, targets=TWO, attempts=2, resume=True) == Stop(Cause.STREAM_CUT)


def test_content_policy_after_commit() -> None:
    """A content refusal in mid-stream is not worked around."""
    outcome = out(FILTERED, committed=True)
    assert choose(outcome, targets=TWO, resume=True) == Stop(Cause.UPSTREAM_REFUSED)


def test_a_committed_stream_that_ended_well() -> None:
    """The end of a good stream is a delivery."""
    assert choose(out(200, committed=True)) == Deliver()


@pytest.mark.parametrize("committed", [False, True])
def test_the_client_went_away(committed: bool) -> None:
    """Nobody is left to try for."""
    outcome = out(Failure.CLIENT_CLOSED, committed=committed)
    assert choose(outcome, targets=TWO, resume=True) == Stop(Cause.CLIENT_CLOSED)
