"""Why a call went where it went."""

from __future__ import annotations

from llmitm.call import Attempt, Target
from llmitm.config.schema import Route
from llmitm.inspector.routing import routing, tried
from tests.support.inspected import call_flow

A, B, C = Target("a", "m"), Target("b", "m"), Target("c", "m")


def test_a_routed_call() -> None:
    """The route, its strategy, the plan, what was left out of it and what was tried are told."""
    _, call = call_flow()
    call.route, call.plan = "gpt-*", (B, C)
    call.attempts = [Attempt(B, 1, "m", started=1.0, ended=1.012, status=503, error="http_error")]
    found = routing(call, Route("gpt-*", (A, B, C), "cheapest"))
    assert found == {
        "route": "gpt-*",
        "strategy": "cheapest",
        "plan": "b/m, c/m",
        "left_out": "a/m",
        "tried": "1. b/m: 503 (http_error) after 12 ms",
    }


def test_a_call_without_a_route() -> None:
    """Nothing is said about a call that was refused before it was routed."""
    assert routing(call_flow()[1], None) == {}


def test_attempts_without_an_answer() -> None:
    """An attempt that got no reply, or none yet, has no status to tell."""
    attempt = Attempt(A, 1, "m", started=1.0)
    assert tried(attempt) == "1. a/m: waiting"
    attempt.ended, attempt.error = 1.0, "connect"
    assert tried(attempt) == "1. a/m: no answer (connect) after 0 ms"
