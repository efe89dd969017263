"""The flows that are shown are masked copies."""

from __future__ import annotations

from llmitm.inspector import shown
from llmitm.inspector.recorder import Recorder
from llmitm.inspector.snapshot import Answered, asked
from tests.support.inspected import SECRET, add_attempt, book, call_flow


def test_the_clients_request() -> None:
    """The copy has the flow's id and its request, without cookies and keys."""
    flow, _ = call_flow(path="/v1/chat/completions?key=k-123456", headers={"cookie": "c=1"})
    copy = shown.call_flow(asked(flow, 10))
    assert copy.id == flow.id
    assert copy.request.path == "/v1/chat/completions?key=*****"
    assert copy.request.headers["cookie"] == "*****"
    assert copy.request.raw_content == (flow.request.raw_content or b"")[:10]
    assert flow.request.headers["cookie"] == "c=1"


def test_replies() -> None:
    """What the client got is shown, a cookie that was set is not."""
    answer = Answered(200, ((b"set-cookie", b"a"),), b"whole", 1.0)
    response = shown.call_response(answer, [b"who"], 2.0)
    assert response is not None and response.raw_content == b"*****le"
    assert response.headers["set-cookie"] == "*****"
    assert (response.timestamp_start, response.timestamp_end) == (1.0, 2.0)
    assert shown.call_response(None, [], 2.0) is None


def test_an_attempt() -> None:
    """The bytes that went to the provider are shown, its credential is not, nor where it echoes."""
    flow, call = call_flow()
    diary, _ = book()
    entry = diary.open(flow)
    attempt = add_attempt(diary, flow, call, b"bad key " + SECRET.encode())
    seen = entry.see()
    assert seen is not None and entry.asked is not None
    (sent,) = seen.sent
    copy = shown.attempt_flow(entry.asked, sent)
    assert copy.request.url == "https://p1.example/v1/chat/completions"
    assert copy.request.raw_content == attempt.body
    assert copy.request.headers["authorization"] == "*****"
    answer = shown.attempt_response(sent, [SECRET.encode()], 9.0)
    assert answer is not None and answer.raw_content == b"bad key *****"
    assert answer.timestamp_end == sent.started + 0.02
    running = sent._replace(ms=None)
    answer = shown.attempt_response(running, [], 9.0)
    assert answer is not None and answer.timestamp_end == 9.0
    assert shown.attempt_response(sent._replace(wire=Recorder(1, 0.0)), [], 9.0) is None


def test_errors_repeat_no_secret() -> None:
    """A failure's text may come from a provider."""
    assert shown.failure(None, []) is None
    error = shown.failure("no sk-1234567 here", [b"sk-1234567"])
    assert error is not None and error.msg == "no ***** here"
