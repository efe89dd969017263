"""What is kept of an answer that passed."""

from __future__ import annotations

import pytest
from mitmproxy import http

from llmitm.call import Attempt, Call, Target
from llmitm.errors import Cause, GatewayError
from llmitm.kept import Kept, Recording
from llmitm.policy.outcome import AttemptOutcome, Failure
from tests.support.wire import DONE, completion, finish, token

WHOLE, STREAM = [completion()], [token("one"), token(" two"), finish() + DONE]
JSON, EVENTS = "application/json", "text/event-stream; charset=utf-8"


def call(*attempts: Attempt) -> Call:
    made = Call("req_1", "openai", "chat", "/v1/chat/completions")
    made.attempts.extend(attempts or [Attempt(Target("p", "*"), 1, "m", status=200)])
    return made


def recorded(chunks: list[bytes], kind: str, room: int = 10_000, status: int = 200) -> Recording:
    recording = Recording(room)
    response = http.Response.make(status, b"", {"Content-Type": kind})
    response.stream = kind == EVENTS
    recording.begin(response)
    for chunk in chunks:
        recording.data(chunk)
    return recording


@pytest.mark.parametrize(
    ("chunks", "kind", "text"), [(WHOLE, JSON, None), (STREAM, EVENTS, "one two")]
)
def test_keeps(chunks: list[bytes], kind: str, text: str | None) -> None:
    """An answer is kept as it came, with who wrote it, and given again like that."""
    kept = recorded(chunks, kind).kept(call())
    body = b"".join(chunks)
    assert kept == Kept(kind, body, text, Target("p", "m"))
    assert kept.size == len(body) + len(text or "")
    response = kept.response()
    assert (response.status_code, response.raw_content) == (200, body)
    assert response.headers["content-type"] == kind
    assert bool(response.stream) == (text is not None)


def failed(*, committed: bool) -> Attempt:
    outcome = AttemptOutcome(target="p/*", at=0.0, failure=Failure.STREAM_CUT, committed=committed)
    return Attempt(Target("p"), 1, "m", error="stream_cut", outcome=outcome)


GOOD = Attempt(Target("q"), 2, "m", status=200)


@pytest.mark.parametrize(
    ("attempts", "kept"),
    [
        ([failed(committed=False), GOOD], True),
        ([failed(committed=True), GOOD], False),
        ([GOOD, failed(committed=False)], False),
    ],
)
def test_attempts(attempts: list[Attempt], kept: bool) -> None:
    """An answer of one attempt is kept, one that two wrote is not, nor is a failed one's."""
    found = recorded(STREAM, EVENTS).kept(call(*attempts))
    assert (found is not None) == kept
    assert found is None or found.by.provider == "q"


def test_failed_call() -> None:
    """What a call that failed was given is not kept."""
    broken = call()
    broken.error = GatewayError(Cause.STREAM_CUT, "cut")
    assert recorded(STREAM, EVENTS).kept(broken) is None


@pytest.mark.parametrize(("last", "kept"), [(DONE, True), (b"", False)])
def test_client_left(last: bytes, kept: bool) -> None:
    """Of a client that left at the end mark, all of the answer is there or nothing is kept."""
    left = call()
    left.had_all = True
    assert (recorded([token("one"), finish() + last], EVENTS).kept(left) is not None) == kept


@pytest.mark.parametrize(
    ("chunks", "kind", "room", "status"),
    [
        (WHOLE, JSON, len(WHOLE[0]) - 1, 200),
        (STREAM, EVENTS, 20, 200),
        (WHOLE, JSON, 10_000, 201),
        ([b"{}"], JSON, 10_000, 200),
        ([b"RIFF"], "audio/wav", 10_000, 200),
        ([], "", 10_000, 200),
    ],
)
def test_not_kept(chunks: list[bytes], kind: str, room: int, status: int) -> None:
    """What is too long, no answer, or not of status 200 is not kept."""
    assert recorded(chunks, kind, room, status).kept(call()) is None


def test_fits_exactly() -> None:
    """An answer may fill all the room."""
    assert recorded(WHOLE, JSON, len(WHOLE[0])).kept(call()) is not None
