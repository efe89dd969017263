"""Why a call went where it went."""

from __future__ import annotations

from llmitm.call import Attempt, Target
from llmitm.config.schema import Route
from llmitm.inspector.entry import Entry
from llmitm.inspector.recorder import Recorder
from llmitm.inspector.routing import routing, tried
from llmitm.inspector.snapshot import Seen
from tests.support.inspected import call_flow

A, B, C = Target("a", "m"), Target("b", "m"), Target("c", "m")


def seen(*attempts: Attempt, plan: tuple[Target, ...] = ()) -> Seen:
    flow, call = call_flow()
    call.attempts, call.plan = list(attempts), plan
    tries = [(attempt, Recorder(0, 0.0)) for attempt in attempts]
    found = Entry(Recorder(0, 0.0), None, flow, call, tries=tries).see()
    assert found is not None
    return found


def test_a_routed_call() -> None:
    """The strategy, the plan, what was left out of it and what was tried are told."""
    failed = Attempt(B, 1, "m", started=1.0, ended=1.012, status=503, error="http_error")
    assert routing(seen(failed, plan=(B, C)), Route("gpt-*", (A, B, C), "cheapest")) == {
        "strategy": "cheapest",
        "plan": "b/m, c/m",
        "left_out": "a/m",
        "tried": "1. b/m: 503 (http_error) after 12 ms",
    }


def test_a_call_without_a_route() -> None:
    """Nothing is said about a call that was refused before it was routed."""
    assert routing(seen(), None) == {}


def test_attempts_without_an_answer() -> None:
    """An attempt that got no reply, or none yet, has no status to tell."""
    attempt = Attempt(A, 1, "m", started=1.0)
    assert tried(seen(attempt).sent[0]) == "1. a/m: waiting"
    attempt.ended, attempt.error = 1.0, "connect"
    assert tried(seen(attempt).sent[0]) == "1. a/m: no answer (connect) after 0 ms"
