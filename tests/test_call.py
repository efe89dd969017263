"""The record of a call: what it reads of a request, and what is frozen at its end."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from llmitm.call import Attempt, Call, FromCache, Principal, Target, Usage, attach, call_of
from llmitm.errors import Cause, GatewayError
from tests.support.stage import call_and_flow


def call(**fields: Any) -> Call:
    made = Call("req_1", "openai", "chat", "/v1/chat/completions", started=100.0)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("target", "name", "sent"),
    [
        (Target("openai", "gpt-4o"), "openai/gpt-4o", "gpt-4o"),
        (Target("openai"), "openai/*", "asked"),
    ],
)
def test_target(target: Target, name: str, sent: str) -> None:
    """A target that names no model sends the one that was asked for."""
    assert (target.name, target.model_for("asked")) == (name, sent)


def test_flows_of_others() -> None:
    """A flow that the gateway did not make has no call."""
    with pytest.raises(LookupError):
        call_of(tflow.tflow())


def test_calls_are_not_saved_with_their_flow() -> None:
    """A flow that is saved, copied or shown carries no call, which may hold secrets."""
    flow = tflow.tflow()
    attach(flow, call())
    assert "req_1" not in str(flow.get_state())
    assert call_of(flow).request_id == "req_1"


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (b'{"model": "m"}', {"model": "m"}),
        (b"", None),
        (b"[1]", None),
        (b"{", None),
        (b"[" * 100_000, None),
        (b"\xff", None),
    ],
)
def test_body(content: bytes, body: Any) -> None:
    """Only a JSON object is a body."""
    made, flow = call_and_flow(body=content)
    assert made.body(flow) == body


def test_body_is_parsed_once_per_content() -> None:
    """A script that rewrites the request is read anew."""
    made, flow = call_and_flow(body={"model": "a"})
    assert made.body(flow) is made.body(flow)
    flow.request.text = '{"model": "b"}'
    assert made.body(flow) == {"model": "b"}


def test_edit() -> None:
    """What is changed is seen in the flow and in the call, without parsing again."""
    made, flow = call_and_flow(body={"model": "a", "n": 1})
    made.edit(flow, {"model": "b"})
    assert json.loads(flow.request.content or b"") == made.body(flow) == {"model": "b", "n": 1}


def attempt(provider: str, **fields: Any) -> Attempt:
    made = Attempt(Target(provider), 1, "m", started=100.0)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_answered_by() -> None:
    """The last attempt answered, unless it failed."""
    assert call().answered_by is None
    failed, good = attempt("a", error="reset"), attempt("b")
    assert call(attempts=[failed]).answered_by is None
    assert call(attempts=[failed, good]).answered_by is good


def test_milliseconds() -> None:
    """An attempt lasts until it ended; one that did not has lasted nothing."""
    assert attempt("a").ms == 0
    assert attempt("a", ended=100.25).ms == 250


def test_freeze() -> None:
    """The record has everything that logs, ledger and reports read."""
    record = call(
        principal=Principal("dev", "ava", "research"),
        model="asked",
        route="asked",
        status=200,
        attempts=[
            attempt("a", status=503, error="server_error", ended=100.5),
            attempt("b", status=200, ended=103.0),
        ],
        usage=Usage(10, 5, 4, 2, 1, 3, estimated=True),
        cost_usd=Decimal("0.5"),
        first_token=101.0,
        upstream_wait=0.75,
        held=0.125,
        ended=103.5,
        error=GatewayError(Cause.STREAM_CUT, ""),
    ).freeze()
    assert (record.key, record.user, record.team) == ("dev", "ava", "research")
    assert (record.model, record.target, record.route) == ("asked", "b/m", "asked")
    assert [(a.target, a.status, a.error, a.ms) for a in record.attempts] == [
        ("a/m", 503, "server_error", 500),
        ("b/m", 200, None, 3000),
    ]
    assert (record.prompt_tokens, record.completion_tokens, record.estimated) == (10, 5, True)
    assert (record.cached_tokens, record.cache_write_tokens, record.reasoning_tokens) == (4, 3, 3)
    assert (record.ttft_ms, record.duration_ms, record.overhead_ms) == (1000, 3500, 125)
    assert (record.error, record.cost_usd) == ("stream_cut", Decimal("0.5"))


def test_freeze_early() -> None:
    """A call that was refused at once has no target, tokens or cost."""
    record = call(status=401, error=GatewayError(Cause.AUTHENTICATION, ""), ended=100.0).freeze()
    assert (record.target, record.attempts, record.cost_usd) == (None, (), None)
    assert (record.ttft_ms, record.duration_ms, record.overhead_ms) == (None, 0, 0)
    assert (record.status, record.error, record.key) == (401, "authentication", None)


def test_freeze_kept() -> None:
    """The record of a call that was answered from the cache says so; no target was asked."""
    record = call(from_cache=FromCache(Target("a", "m"), 3.0), status=200).freeze()
    assert (record.target, record.attempts) == ("cache", ())


def test_own_share_is_never_negative() -> None:
    """Waiting that went on beyond the first byte is not counted against it."""
    record = call(upstream_wait=9.0, first_token=100.5, ended=101.0).freeze()
    assert record.overhead_ms == 0


def test_total_tokens() -> None:
    """Cached and reasoning tokens are parts, not additions."""
    assert Usage(10, 5, cached_tokens=8, reasoning_tokens=4).total_tokens == 15


def test_a_streamed_request_has_no_body() -> None:
    """A body that was not read is no JSON object."""
    made, flow = call_and_flow()
    flow.request.raw_content = None
    assert isinstance(flow, http.HTTPFlow)
    assert made.body(flow) is None
