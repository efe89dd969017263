"""Chat Completions chunks become Ollama's lines."""

from __future__ import annotations

from typing import Any

import ollama
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.dialects.ollama_to_openai_answer import answer, as_chat, as_generate
from llmitm.dialects.ollama_to_openai_stream import LineStream
from llmitm.dialects.stopwatch import Stopwatch
from tests.dialects.streams import PLACES, Json, completions, cut, lines, openai_chunks, run, sse

GREETING: Json = {
    "id": "chatcmpl-7",
    "created": 1_790_000_000,
    "model": "gpt-4o-mini",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello there"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 14, "completion_tokens": 7},
}
TIMES = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")


def translated(shape: Any, chunks: list[bytes]) -> list[Json]:
    return lines(run(LineStream("m", shape, Stopwatch()), chunks))


@given(completions(), st.integers(1, 5), PLACES)
def test_stream_says_what_the_whole_answer_says(
    completion: Json, size: int, places: list[int]
) -> None:
    """Text, thinking, tool calls, done reason and counts are those of the whole answer."""
    *said, last = translated(as_chat, cut(sse(openai_chunks(completion, size)), places))
    whole = answer(completion, "m", as_chat, {})
    message = whole["message"]
    for key in ("content", "thinking"):
        assert "".join(line["message"].get(key, "") for line in said) == message.get(key, "")
    calls = [call for line in said for call in line["message"].get("tool_calls", [])]
    assert calls == message.get("tool_calls", [])
    assert not any(line["done"] for line in said)
    for key in ("done", "done_reason", "prompt_eval_count", "eval_count"):
        assert last.get(key) == whole.get(key)


@given(completions(), PLACES, st.integers(0, 10_000))
def test_cut_stream_has_no_end(completion: Json, places: list[int], at: int) -> None:
    """A stream that breaks off before its finish reason has no line with done."""
    data = sse(openai_chunks(completion)[:-3])
    out = translated(as_chat, cut(data[: at % (len(data) + 1)], places))
    assert not any(line["done"] for line in out)


@pytest.mark.parametrize(
    ("shape", "said", "model"),
    [
        (as_chat, lambda text: {"message": {"role": "assistant", "content": text}}, "ChatResponse"),
        (as_generate, lambda text: {"response": text}, "GenerateResponse"),
    ],
)
def test_golden_stream(shape: Any, said: Any, model: str) -> None:
    """A line for each piece of text, and a last one with reason, counts and durations."""
    out = translated(shape, [sse(openai_chunks(GREETING, 8))])
    for line in out:
        getattr(ollama, model).model_validate(line)
        assert line.pop("created_at").endswith("Z")
    assert all(out[-1].pop(time) >= 0 for time in TIMES)
    assert out == [
        {"model": "m", **said("Hello th"), "done": False},
        {"model": "m", **said("ere"), "done": False},
        {
            "model": "m",
            **said(""),
            "done": True,
            "done_reason": "stop",
            "prompt_eval_count": 14,
            "eval_count": 7,
        },
    ]


def test_error_in_the_stream_is_told_and_ends_it() -> None:
    """An in-band error becomes Ollama's line; nothing follows it."""
    chunks = openai_chunks(GREETING, 20)
    error = {"error": {"message": "Slow down", "type": "rate_limit_error"}}
    out = translated(as_chat, [sse([*chunks[:2], error, *chunks[2:]])])
    assert out[-1] == {"error": "Slow down"}
    assert len(out) == 2


def test_tool_call_that_cannot_be_read_is_an_error() -> None:
    """Ollama's arguments are an object: text that is none can't be passed on."""
    function = {"name": "f", "arguments": '{"x":'}
    delta = {"tool_calls": [{"index": 0, "id": "a", "function": function}]}
    chunk = {"choices": [{"index": 0, "delta": delta, "finish_reason": "tool_calls"}]}
    stream = LineStream("m", as_chat, Stopwatch())
    out = lines(run(stream, [sse([chunk, "[DONE]"])]))
    assert out == [
        {"error": "The provider's answer calls a tool with arguments that are no JSON object."}
    ]
    assert not stream.done


def test_log_probabilities_come_with_their_text() -> None:
    """Each line has the log probabilities of its tokens."""
    tokens = [{"token": "a", "logprob": -0.1, "top_logprobs": []}]
    choice = {"index": 0, "delta": {"content": "a"}, "logprobs": {"content": tokens}}
    assert translated(as_chat, [sse([{"choices": [choice]}])])[0]["logprobs"] == tokens


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["choices", "delta", "tool_calls", "function", "logprobs", "id"]),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_no_event_is_fatal(event: object) -> None:
    """Whatever JSON comes, translating it does not raise."""
    translated(as_chat, [sse([event, {"choices": [event]}, {"choices": [{"delta": event}]}])])
