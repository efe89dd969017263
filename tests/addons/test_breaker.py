"""Circuits that learn from every attempt, and keep calls from targets that fail."""

from __future__ import annotations

import pytest

from addons.breaker import Breaker
from llmitm.call import Attempt, Target
from llmitm.engine.failure import AttemptFailed
from llmitm.policy.outcome import AttemptOutcome, Failure
from tests.support.stage import Stage, flow_of


def fail(addon: Breaker, failure: Failure | None) -> None:
    """One attempt that ends like this."""
    flow, attempt = flow_of(), Attempt(Target("sim"), 1, "m")
    addon.upstream_request(flow, attempt)
    if failure is not None:
        attempt.error = failure.value
        attempt.outcome = AttemptOutcome(target="sim/*", at=0.0, failure=failure)
    addon.upstream_response(flow, attempt)


def test_opens_and_refuses(stage: Stage) -> None:
    """After the configured number of failures an attempt is refused before it is sent."""
    stage.configure({"resilience": {"circuit_breaker": {"consecutive_failures": 2}}})
    addon = Breaker()
    fail(addon, Failure.RESET)
    fail(addon, None)
    fail(addon, Failure.RESET)
    fail(addon, Failure.FIRST_TOKEN_TIMEOUT)
    with pytest.raises(AttemptFailed) as caught:
        fail(addon, None)
    assert caught.value.outcome.failure is Failure.CIRCUIT_OPEN


def test_gives_back_what_it_took(stage: Stage) -> None:
    """An attempt that is over is no load any more, however it ended."""
    stage.configure({"resilience": {"circuit_breaker": {"enabled": False}}})
    addon, load = Breaker(), stage.runtime.targets.load
    for failure in (None, Failure.RESET, Failure.CLIENT_CLOSED):
        fail(addon, failure)
        assert load.in_flight("sim/*") == 0


def test_a_refused_attempt_takes_nothing(stage: Stage) -> None:
    """What a drained target refuses leaves no load behind."""
    stage.runtime.targets.circuits.drain("sim/*", True)
    with pytest.raises(AttemptFailed):
        fail(Breaker(), None)
    assert stage.runtime.targets.load.in_flight("sim/*") == 0
