"""A call at one moment."""

from __future__ import annotations

from mitmproxy import http

from llmitm.inspector.recorder import Recorder
from llmitm.inspector.snapshot import answered, asked, sent
from tests.support.inspected import add_attempt, book, call_flow


def test_the_request_stays_as_the_client_sent_it() -> None:
    """What policies or scripts change later is not the client's."""
    flow, _ = call_flow(b"as it was", headers={"x-a": "1"})
    first = asked(flow, 1000)
    flow.request.raw_content = b"changed"
    flow.request.headers["x-a"] = "2"
    assert first.content == b"as it was"
    assert (b"x-a", b"1") in first.fields
    assert asked(flow, 3).content == b"cha"
    flow.request.raw_content = None  # a body that is passed on as it comes
    assert asked(flow, 3).content is None


def test_whole_and_streamed_answers() -> None:
    """A whole answer is the flow's, a stream is what passed so far; both are bounded."""
    flow, call = call_flow()
    wire = Recorder(4, call.started)
    assert answered(flow, wire) is None
    flow.response = http.Response.make(200, b"whole answer")
    whole = answered(flow, wire)
    assert whole is not None and whole.body == b"whol"
    wire.data(b"ab")
    wire.data(b"cdef")
    streamed = answered(flow, wire)
    assert streamed is not None and streamed.body == b"abcd"


def test_an_attempt() -> None:
    """Its times are wall clock, its body is bounded, and uploads have none."""
    flow, call = call_flow()
    diary, _ = book()
    attempt = add_attempt(diary, flow, call)
    one = sent(call, attempt, Recorder(5, 0.0))
    assert (one.number, one.target, one.ms, one.started) == (1, "p1/m", 20, call.ts)
    assert one.body == attempt.body[:5]
    attempt.body, attempt.ended = object(), None
    one = sent(call, attempt, Recorder(5, 0.0))
    assert (one.body, one.ms) == (None, None)
