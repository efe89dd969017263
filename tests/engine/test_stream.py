"""A streamed answer as events: held until its first token, never ended before its end mark."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmitm.config.schema import Hold
from llmitm.engine.failure import AttemptFailed
from llmitm.engine.stream import EventStream
from llmitm.engine.terms import Terms
from llmitm.policy.outcome import Failure
from tests.support.fed import NDJSON, SSE, Fed, attempt, terms
from tests.support.wire import DONE, event, finish, token

ROLE = event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
USAGE = event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
ERROR = event({"error": {"message": "overloaded", "type": "server_error"}})
WHOLE = [ROLE, token("a"), token("b"), finish(), DONE]
BROKEN = b'data: {"choices": [{"del\n\n'


def stream(answer: Fed, on: Terms | None = None) -> EventStream:
    return EventStream(answer, on or terms(stream=True), attempt())


async def rest(events: EventStream) -> bytes:
    """All that is left of a stream. Raises AttemptFailed where it breaks off."""
    out = b""
    while found := await events.next():
        out += b"".join(one.raw for one in found)
    return out


def sse(payload: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (payload["type"].encode(), json.dumps(payload).encode())


async def test_held_until_the_first_token() -> None:
    """What comes before the first token is kept and given out with it, byte for byte."""
    answer = Fed(kind=SSE).feed(ROLE, token("a"))
    events = stream(answer)
    await events.until_content()
    assert not events.at_end
    answer.feed(token("b"), finish(), DONE)
    answer.finish()
    assert await rest(events) == b"".join(WHOLE)
    assert (events.text, events.complete) == ("ab", True)


async def test_a_message_without_its_beginning() -> None:
    """A provider that leaves out `message_start` has one put before its events, and no second."""
    text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}}
    said = sse(text) + sse({"type": "message_stop"})
    anthropic = terms("anthropic", "messages", stream=True)
    events = stream(Fed.whole(said, kind=SSE), anthropic)
    await events.until_content()
    out = await rest(events)
    beginning = out.removesuffix(said)
    assert beginning.startswith(b"event: message_start\ndata: {")
    again = stream(Fed.whole(out, kind=SSE), anthropic)
    await again.until_content()
    assert await rest(again) == out


@pytest.mark.parametrize("parts", [WHOLE, [b"".join(WHOLE)], [bytes([b]) for b in b"".join(WHOLE)]])
async def test_bytes_are_the_providers(parts: list[bytes]) -> None:
    """However the stream is cut by the network, the client gets its bytes."""
    events = stream(Fed.whole(*parts, kind=SSE))
    await events.until_content()
    assert await rest(events) == b"".join(WHOLE)


@pytest.mark.parametrize(
    ("parts", "failure"),
    [
        ([], Failure.STREAM_CUT),
        ([ROLE], Failure.STREAM_CUT),
        ([ROLE, b": ping\n\n"], Failure.STREAM_CUT),
        ([ROLE, BROKEN], Failure.STREAM_CUT),
    ],
)
async def test_nothing_before_the_end(parts: list[bytes], failure: Failure) -> None:
    """A stream that ends without a token and without an end mark gave nothing."""
    with pytest.raises(AttemptFailed) as caught:
        await stream(Fed.whole(*parts, kind=SSE)).until_content()
    assert (caught.value.outcome.failure, caught.value.outcome.committed) == (failure, False)


async def test_an_empty_answer_is_an_answer() -> None:
    """A model that says nothing and says that it is done has answered."""
    events = stream(Fed.whole(ROLE, finish(), DONE, kind=SSE))
    await events.until_content()
    assert await rest(events) == ROLE + finish() + DONE


@pytest.mark.parametrize("before", [[ROLE], [ROLE, token("a")]])
async def test_an_error_before_anything_was_given_out(before: list[bytes]) -> None:
    """An error event counts like a reply with its status; what came with it is not given out."""
    events = stream(Fed.whole(*before, ERROR, token("b"), kind=SSE))
    with pytest.raises(AttemptFailed, match="overloaded") as caught:
        await events.until_content()
    outcome = caught.value.outcome
    assert (outcome.status, outcome.failure, outcome.committed) == (500, None, False)


@pytest.mark.parametrize("more", [[ERROR], [token("b"), ERROR], [token("b"), token("c"), ERROR]])
async def test_an_error_after_the_first_token(more: list[bytes]) -> None:
    """What came before an error event is given out; then it fails, with the client committed."""
    answer = Fed(kind=SSE).feed(ROLE, token("a"))
    events = stream(answer)
    await events.until_content()
    answer.feed(*more)
    for raw in (ROLE + token("a"), b"".join(more[:-1])):
        if raw:
            assert b"".join(one.raw for one in await events.next()) == raw
    with pytest.raises(AttemptFailed) as caught:
        await events.next()
    assert caught.value.outcome.committed


@pytest.mark.parametrize("end", ["finished", "cut"])
async def test_no_end_mark(end: str) -> None:
    """A stream without its end mark is cut, however its connection ended."""
    answer = Fed(kind=SSE).feed(ROLE, token("a"))
    events = stream(answer)
    await events.until_content()
    answer.finish() if end == "finished" else answer.cut()
    await events.next()
    with pytest.raises(AttemptFailed) as caught:
        await events.next()
    assert caught.value.outcome.failure is Failure.STREAM_CUT
    assert caught.value.outcome.committed


async def test_cut_after_the_end_mark() -> None:
    """After the finish reason nothing is missing: losing the connection then is no fault."""
    answer = Fed(kind=SSE).feed(ROLE, token("a"), finish())
    events = stream(answer)
    await events.until_content()
    answer.cut()
    assert await rest(events) == ROLE + token("a") + finish()


@pytest.mark.parametrize(
    ("limits", "failure"),
    [
        ({"between_tokens": 0.25}, Failure.BETWEEN_TOKENS_TIMEOUT),
        ({"total": 0.25}, Failure.TOTAL_TIMEOUT),
    ],
)
async def test_stall(limits: dict[str, Any], failure: Failure) -> None:
    """A stream that says nothing for too long, or takes too long in all, has failed."""
    events = stream(Fed(kind=SSE).feed(token("a")), terms(stream=True, **limits))
    await events.until_content()
    await events.next()
    with pytest.raises(AttemptFailed) as caught:
        await events.next()
    assert (caught.value.outcome.failure, caught.value.outcome.committed) == (failure, True)


async def test_what_is_held_is_bounded() -> None:
    """A stream whose beginning is too long for us is let through before its first token."""
    on = terms(stream=True)
    on = Terms(on.call, on.timeouts, on.translation, Hold(bytes=len(ROLE)))
    events = stream(Fed(kind=SSE).feed(ROLE, ROLE), on)
    await events.until_content()
    assert b"".join(one.raw for one in await events.next()) == ROLE + ROLE


async def test_usage_is_read() -> None:
    """The usage that the provider reports is kept."""
    events = stream(Fed.whole(*WHOLE[:-1], USAGE, DONE, kind=SSE))
    await events.until_content()
    await rest(events)
    assert events.usage is not None
    assert (events.usage.prompt_tokens, events.usage.completion_tokens) == (3, 2)


async def test_lines() -> None:
    """Ollama's lines are events too, with an end mark of their own."""
    lines = [
        json.dumps({"message": {"content": text}, "done": False}).encode() + b"\n" for text in "ab"
    ]
    last = json.dumps({"done": True, "done_reason": "stop", "eval_count": 2}).encode() + b"\n"
    events = stream(Fed.whole(*lines, last, kind=NDJSON), terms("ollama", stream=True))
    await events.until_content()
    assert await rest(events) == b"".join(lines) + last
    events = stream(Fed.whole(*lines, kind=NDJSON), terms("ollama", stream=True))
    await events.until_content()
    with pytest.raises(AttemptFailed):
        await rest(events)


ANTHROPIC = [
    {"type": "message_start", "message": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
        "usage": {"input_tokens": 5, "output_tokens": 1},
    }},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}},
    {"type": "message_stop"},
]  # fmt: skip


@pytest.mark.parametrize("count", range(3, len(ANTHROPIC) + 1))
async def test_translated(count: int) -> None:
    """Between dialects the client's events come out, and the provider's own end mark decides."""
    on = terms("openai", stream=True, api="anthropic")
    events = stream(Fed.whole(*map(sse, ANTHROPIC[:count]), kind=SSE), on)
    await events.until_content()
    if count < len(ANTHROPIC) - 1:  # the stop reason says it all
        with pytest.raises(AttemptFailed) as caught:
            await rest(events)
        assert caught.value.outcome.failure is Failure.STREAM_CUT
    else:
        assert (await rest(events)).endswith(DONE)
        assert events.usage is not None
        assert events.usage.completion_tokens == 7
    assert events.text == "hi"
