"""One attempt: from the request to an answer that may be delivered, or to why there is none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any, cast

import pytest

from llmitm.call import Attempt, Usage
from llmitm.engine.answer import Answer, UpstreamError
from llmitm.engine.attempt import Ready, begin, first_byte_timeout
from llmitm.engine.failure import AttemptFailed
from llmitm.engine.terms import Terms
from llmitm.engine.upstream import Upstream
from llmitm.policy.outcome import AttemptOutcome, Failure
from tests.support.fed import NDJSON, PATIENT, SSE, Fed, Feeding, attempt, terms
from tests.support.wire import DONE, completion, finish, token

COUNTED = completion("hi", usage={"prompt_tokens": 7, "completion_tokens": 2})
STREAM = [token("a"), finish(), DONE]


async def ask(
    answer: Answer | UpstreamError | None,
    on: Terms | None = None,
    made: Attempt | None = None,
    body: Any = b"{}",
) -> Ready:
    upstream = cast("Upstream", Feeding(answer))
    return await begin(upstream, made or attempt(), on or terms(), body)


async def outcome(answer: Answer | UpstreamError | None, on: Terms | None = None) -> AttemptOutcome:
    """How an attempt fails; its connection is not kept, whatever was left to read."""
    with pytest.raises(AttemptFailed) as caught:
        await ask(answer, on)
    assert not isinstance(answer, Fed) or answer.closed
    return caught.value.outcome


async def test_request() -> None:
    """What is sent is what the attempt says."""
    made = attempt()
    made.method, made.url, made.headers = "PUT", "http://p/v1", {"a": "b"}
    upstream = Feeding(Fed.whole(COUNTED))
    await begin(cast("Upstream", upstream), made, terms(), b"hello")
    assert upstream.asked == [("PUT", "http://p/v1", {"a": "b"}, b"hello")]


async def test_whole_answer() -> None:
    """An answer in JSON is read to its end, and for its usage."""
    made = attempt()
    ready = await ask(Fed.whole(COUNTED[:20], COUNTED[20:]), made=made)
    assert (ready.body, ready.stream, made.status) == (COUNTED, None, 200)
    assert made.usage == Usage(7, 2)


async def test_whole_answer_without_usage() -> None:
    """Where no usage is told the text is kept, to be counted."""
    made = attempt()
    await ask(Fed.whole(completion("hello")), made=made)
    assert (made.usage, made.produced) == (None, "hello")


async def test_whole_answer_in_another_dialect() -> None:
    """An answer of another dialect comes out in the client's."""
    body = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
        "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn",
        "usage": {"input_tokens": 4, "output_tokens": 1},
    }  # fmt: skip
    made = attempt()
    ready = await ask(Fed.whole(json.dumps(body).encode()), terms(api="anthropic"), made)
    assert json.loads(ready.body or b"")["choices"][0]["message"]["content"] == "hi"
    assert made.usage == Usage(4, 1)


async def test_stream() -> None:
    """A stream is ready at its first token, with the rest still to come."""
    answer = Fed(kind=f"{SSE}; charset=utf-8").feed(token("a"))
    made = attempt()
    ready = await ask(answer, terms(stream=True), made)
    assert ready.stream is not None
    assert (ready.body, answer.complete, answer.closed) == (None, False, False)
    assert made.first_token is not None


async def test_stream_that_nobody_asked_for() -> None:
    """A provider that streams anyway is passed on as what it sends."""
    on = terms(stream=False)
    ready = await ask(Fed.whole(*STREAM, kind=SSE), on)
    assert ready.stream is not None
    assert on.call.stream


@pytest.mark.parametrize("kind", ["audio/mpeg", "text/plain", "application/octet-stream"])
async def test_raw_answer(kind: str) -> None:
    """Whatever is neither JSON nor a stream is ready with its head, and read in pieces."""
    answer = Fed(kind=kind).feed(b"\x00\x01")
    ready = await ask(answer, terms("openai", "files"))
    assert (ready.body, ready.stream) == (None, None)
    assert await ready.chunk() == b"\x00\x01"
    answer.finish()
    assert await ready.chunk() == b""
    ready.close()
    assert answer.closed


@pytest.mark.parametrize(
    ("end", "failure"),
    [("cut", Failure.STREAM_CUT), ("stall", Failure.BETWEEN_TOKENS_TIMEOUT)],
)
async def test_raw_answer_breaks_off(end: str, failure: Failure) -> None:
    """A raw answer that is cut or stalls fails when its beginning is out."""
    answer = Fed(kind="audio/mpeg").feed(b"x")
    ready = await ask(answer, terms("openai", "audio", between_tokens=0.25))
    await ready.chunk()
    if end == "cut":
        answer.cut()
    with pytest.raises(AttemptFailed) as caught:
        await ready.chunk()
    assert (caught.value.outcome.failure, caught.value.outcome.committed) == (failure, True)


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (b"", Failure.EMPTY),
        (b'{"choices": [{"mess', Failure.MALFORMED),
        (b"<html>502</html>", Failure.MALFORMED),
        (b'{"choices": [{"message": {"content": "\xff"}}]}', Failure.MALFORMED),
        (b"[" * 100_000, Failure.MALFORMED),
    ],
)
async def test_answers_that_make_no_sense(body: bytes, failure: Failure) -> None:
    """An answer that calls itself JSON and isn't is a failure of the target."""
    assert (await outcome(Fed.whole(body))).failure is failure


@pytest.mark.parametrize(
    ("body", "status", "failure"),
    [
        ({"error": {"message": "overloaded", "code": 503}}, 503, None),
        ({"error": {"message": "slow down", "type": "rate_limit_error"}}, 429, None),
        ({"id": "x", "choices": []}, 200, Failure.MALFORMED),
        ({"status": "ok"}, 200, Failure.MALFORMED),
        (["choices"], 200, Failure.MALFORMED),
    ],
)
async def test_success_that_answers_nothing(
    body: Any, status: int, failure: Failure | None
) -> None:
    """An error, or anything but an answer, is a failure though its status says success."""
    ended = await outcome(Fed.whole(json.dumps(body).encode()))
    assert (ended.status, ended.failure, ended.ok) == (status, failure, False)


@pytest.mark.parametrize("stream", [True, False])
async def test_no_content_is_no_answer(stream: bool) -> None:
    """A model has something to say; what deletes a file has not."""
    assert (await outcome(Fed.whole(status=204), terms(stream=stream))).failure is Failure.EMPTY
    ready = await ask(Fed.whole(status=204), terms("openai", "files"))
    assert (ready.body, ready.stream) == (None, None)


@pytest.mark.parametrize(("stream", "failure"), [(True, "stream_cut"), (False, "malformed")])
async def test_a_page_is_no_answer(stream: bool, failure: str) -> None:
    """What a proxy before the provider shows to browsers is a failure, not an answer."""
    page = Fed.whole(b"<html>Are you human?</html>", kind="text/html")
    assert (await outcome(page, terms(stream=stream))).failure == failure


async def test_whole_answer_where_a_stream_was_asked_for() -> None:
    """A client that reads events would take it for an empty answer; Ollama's, for one line."""
    assert (await outcome(Fed.whole(COUNTED), terms(stream=True))).failure is Failure.MALFORMED
    loaded = b'{"model":"m","message":{"role":"assistant","content":""},"done":true}'
    assert (await ask(Fed.whole(loaded), terms("ollama", "chat", stream=True))).body == loaded


async def test_stream_by_another_name() -> None:
    """Events are read where a stream was asked for, whatever the provider calls them."""
    ready = await ask(Fed.whole(*STREAM, kind="text/plain"), terms(stream=True))
    assert ready.stream is not None


async def test_answer_cut() -> None:
    """A whole answer that is cut was never whole."""
    assert (await outcome(Fed().feed(COUNTED[:-1]).cut())).failure is Failure.STREAM_CUT


async def test_no_json_where_json_is_needed() -> None:
    """Where an answer has to be translated, nothing but JSON will do, whatever it is called."""
    page = Fed.whole(b"<html>Welcome</html>", kind="text/html")
    assert (await outcome(page, terms(api="anthropic"))).failure is Failure.MALFORMED


async def test_answer_that_does_not_fit() -> None:
    """Where the call knows what it needs, an answer that isn't that has failed."""
    on = terms()
    on.call.check = lambda parsed: "no severity" if "severity" not in parsed else None
    assert (await outcome(Fed.whole(COUNTED), on)).failure is Failure.UNFIT
    assert (await ask(Fed.whole(b'{"severity": 1}'), on)).body == b'{"severity": 1}'


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
async def test_refusals(status: int) -> None:
    """An error status is a failure with that status, and what the provider said."""
    said = b'{"error": {"message": "no", "code": "context_length_exceeded"}}'
    with pytest.raises(AttemptFailed, match="no") as caught:
        await ask(Fed.whole(said, status=status, retry_after="7"))
    found = caught.value
    assert (found.outcome.status, found.outcome.retry_after) == (status, 7.0)
    assert found.outcome.code == "context_length_exceeded"
    assert found.refusal is not None
    assert json.loads(found.refusal.body)["error"]["message"] == "no"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_not_followed(status: int) -> None:
    """A prompt and a credential don't go where the provider points."""
    answer = Fed.whole(status=status, location="https://elsewhere.example/")
    assert (await outcome(answer)).failure is Failure.MALFORMED
    made = attempt()
    made.method = "GET"
    assert (await ask(answer, made=made)).answer is answer


@pytest.mark.parametrize(
    ("answer", "on", "failure"),
    [
        (None, {"first_byte": 0.0}, Failure.FIRST_BYTE_TIMEOUT),
        (Fed(kind=SSE), {"first_token": 0.0}, Failure.FIRST_TOKEN_TIMEOUT),
        (Fed().feed(b"{"), {"total": 0.25}, Failure.TOTAL_TIMEOUT),
    ],
)
async def test_silence(answer: Fed | None, on: dict[str, Any], failure: Failure) -> None:
    """Each kind of silence has its own limit and its own name."""
    on = {"connect": 0.01, **on}
    assert (await outcome(answer, terms(stream=True, **on))).failure is failure


async def test_the_head_of_a_stream_is_no_token() -> None:
    """A target that sends a head and start-up events is still silent."""
    answer = Fed(kind=SSE).feed(b": ping\n\n")
    found = await outcome(answer, terms(stream=True, connect=0.01, first_token=0.0))
    assert found.failure is Failure.FIRST_TOKEN_TIMEOUT


@pytest.mark.parametrize("failure", [Failure.CONNECT, Failure.CONNECT_TIMEOUT, Failure.RESET])
async def test_no_answer(failure: Failure) -> None:
    """What happened to the connection is the failure of the attempt."""
    assert (await outcome(UpstreamError(failure, "gone"))).failure is failure


@pytest.mark.parametrize(
    ("stream", "first_byte", "seconds"), [(True, None, 5), (False, None, 10), (False, 2, 2)]
)
def test_first_byte(stream: bool, first_byte: float | None, seconds: float) -> None:
    """A whole answer may be silent for longer than a stream, but not past the total."""
    limits = PATIENT.model_copy(update={"first_byte": first_byte, "first_token": 5, "total": 10})
    assert first_byte_timeout(limits, stream) == seconds


async def test_cancelled() -> None:
    """A client that leaves takes the answer's connection with it."""
    answer = Fed(kind=SSE)
    asking = asyncio.ensure_future(ask(answer, terms(stream=True)))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    assert answer.closed


class Seen:
    def __init__(self) -> None:
        self.said: list[Any] = []

    def begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.said.append((status, list(headers)))

    def data(self, chunk: bytes) -> None:
        self.said.append(chunk)


@pytest.mark.parametrize("status", [200, 500])
async def test_watched(status: int) -> None:
    """Who watches sees the answer as the provider sent it, refusals too."""
    made = attempt()
    made.watch = seen = Seen()
    answer = Fed.whole(COUNTED, status=status)
    if status == 200:
        await ask(answer, made=made)
    else:
        with pytest.raises(AttemptFailed):
            await ask(answer, made=made)
    assert seen.said == [(status, [(b"content-type", b"application/json")]), COUNTED]


async def test_a_slow_upload_is_no_silence() -> None:
    """The time that a target has begins when it has all of an upload."""

    async def body() -> AsyncIterator[bytes]:
        for _ in range(6):
            await asyncio.sleep(0.1)
            yield b"x"

    class Reading(Feeding):
        async def send(self, *args: Any) -> Answer:
            async for _ in args[3]:
                pass
            return await super().send(*args)

    upstream = cast("Upstream", Reading(Fed.whole(COUNTED)))
    on = terms(connect=0.25, first_byte=0.25)
    assert (await begin(upstream, attempt(), on, body())).body == COUNTED


async def test_lines_that_are_no_tokens() -> None:
    """The progress of a model's download is passed on line by line, not read to its end."""
    answer = Fed(kind=NDJSON).feed(b'{"status": "pulling"}\n')
    ready = await ask(answer, terms("ollama", "pull"))
    assert (ready.body, ready.stream) == (None, None)
    assert await ready.chunk() == b'{"status": "pulling"}\n'
