"""The flows that are shown are masked copies."""

from __future__ import annotations

from mitmproxy import http

from llmitm.inspector import shown
from llmitm.inspector.recorder import Recorder
from tests.support.inspected import SECRET, add_attempt, book, call_flow


def test_the_clients_request() -> None:
    """The copy has the flow's id and its request, without cookies and keys."""
    flow, _ = call_flow(path="/v1/chat/completions?key=k-123456", headers={"cookie": "c=1"})
    copy = shown.call_flow(flow, 10)
    assert copy.id == flow.id
    assert copy.request.path == "/v1/chat/completions?key=*****"
    assert copy.request.headers["cookie"] == "*****"
    assert copy.request.raw_content == (flow.request.raw_content or b"")[:10]
    assert flow.request.headers["cookie"] == "c=1"


def test_whole_and_streamed_replies() -> None:
    """A whole reply is shown as it is, a stream as it was put together so far."""
    flow, call = call_flow()
    wire = Recorder(4, call.started)
    assert shown.call_response(flow, wire, [], 9.0) is None
    flow.response = http.Response.make(200, b"whole answer", {"set-cookie": "a"})
    whole = shown.call_response(flow, wire, [], 9.0)
    assert whole is not None and whole.raw_content == b"whol"
    assert whole.headers["set-cookie"] == "*****"
    wire.data(b"ab")
    wire.data(b"cdef")
    streamed = shown.call_response(flow, wire, [], 9.0)
    assert streamed is not None and streamed.raw_content == b"abcd"


def test_an_attempt() -> None:
    """The bytes that went to the provider are shown, its credential is not, nor where it echoes."""
    flow, call = call_flow()
    diary, _ = book()
    diary.open(flow)
    attempt = add_attempt(diary, flow, call, b"bad key " + SECRET.encode())
    copy = shown.attempt_flow(call, attempt, flow, 1000)
    assert copy.request.url == "https://p1.example/v1/chat/completions"
    assert copy.request.raw_content == attempt.body
    assert copy.request.headers["authorization"] == "*****"
    assert isinstance(attempt.watch, Recorder)
    answer = shown.attempt_response(attempt.watch, [SECRET.encode()], (1.0, 2.0))
    assert answer is not None and answer.raw_content == b"bad key *****"
    assert (answer.timestamp_start, answer.timestamp_end) == (1.0, 2.0)
    assert shown.attempt_response(Recorder(1, 0.0), [], (1.0, 2.0)) is None


def test_errors_repeat_no_secret() -> None:
    """A failure's text may come from a provider."""
    assert shown.failure(None, []) is None
    error = shown.failure("no sk-1234567 here", [b"sk-1234567"])
    assert error is not None and error.msg == "no ***** here"
