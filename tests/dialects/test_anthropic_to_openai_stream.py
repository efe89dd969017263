"""Chat Completions chunks become Anthropic's message events."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.dialects.anthropic_to_openai_answer import message as whole_message
from llmitm.dialects.anthropic_to_openai_stream import MessageStream
from tests.dialects.streams import (
    PLACES,
    Json,
    completions,
    cut,
    message_of,
    openai_chunks,
    payloads,
    run,
    sse,
)

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
    "usage": {
        "prompt_tokens": 14,
        "completion_tokens": 7,
        "prompt_tokens_details": {"cached_tokens": 4},
    },
}


def chunk(delta: Json, finish: str | None = None) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "choices": [choice]}


def call(index: object, part: str = "", **named: str) -> Json:
    function = {"arguments": part} | {k: v for k, v in named.items() if k == "name"}
    found = {"index": index, "function": function}
    return found | {k: v for k, v in named.items() if k == "id"}


@given(completions(), st.integers(1, 5), PLACES)
def test_stream_says_what_the_whole_answer_says(
    completion: Json, size: int, places: list[int]
) -> None:
    """Content blocks, stop reason and usage are those of the whole answer."""
    data = sse(openai_chunks(completion, size))
    stream = MessageStream("gpt")
    seen = message_of(run(stream, cut(data, places)))
    whole = whole_message(completion, "gpt")
    for block in seen["content"]:
        text = block.pop("json")
        if block["type"] == "tool_use":
            block["input"] = json.loads(text or "{}")
    for key in ("id", "content", "stop_reason", "usage", "model"):
        assert seen[key] == whole[key]
    assert stream.done
    assert seen["done"] is True
    assert seen["starts"] == 1


@given(completions(), PLACES, st.integers(0, 10_000))
def test_cut_stream_has_no_end(completion: Json, places: list[int], at: int) -> None:
    """A stream that breaks off before its finish reason ends without message_stop."""
    data = sse(openai_chunks(completion)[:-3])
    data = data[: at % (len(data) + 1)]
    seen = message_of(run(MessageStream("gpt"), cut(data, places)))
    assert "done" not in seen
    assert seen.get("stop_reason") is None


def test_golden_stream() -> None:
    """The events of a short answer, in Anthropic's order, named for their types."""
    out = run(MessageStream("gpt-4o"), [sse(openai_chunks(GREETING, 8))])
    names = [line[7:] for line in out.decode().split("\n") if line.startswith("event: ")]
    events = list(payloads(out))
    assert names == [event["type"] for event in events]
    assert events == [
        {
            "type": "message_start",
            "message": {
                "id": "msg_7",
                "type": "message",
                "role": "assistant",
                "model": "gpt-4o",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {
                    "input_tokens": 0,
                    "cache_creation_input_tokens": 0,
                    "cache_read_input_tokens": 0,
                    "output_tokens": 0,
                },
            },
        },
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "Hello th"},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "ere"},
        },
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {
                "input_tokens": 10,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 4,
                "output_tokens": 7,
            },
        },
        {"type": "message_stop"},
    ]


def test_finish_reason_without_done_is_an_end() -> None:
    """A stream that merely lacks [DONE] after its finish reason is whole."""
    data = sse(openai_chunks(GREETING)[:-1])
    assert message_of(run(MessageStream("m"), [data]))["done"] is True


def test_done_without_finish_reason_is_no_end() -> None:
    """[DONE] does not make up for a finish reason that never came."""
    data = sse([*openai_chunks(GREETING)[:-3], "[DONE]"])
    assert "done" not in message_of(run(MessageStream("m"), [data]))


TOOLS: list[tuple[str, list[Json]]] = [
    (
        "mixed fragments",
        [
            chunk({"tool_calls": [call(0, id="a", name="f"), call(1, id="b", name="g")]}),
            chunk({"tool_calls": [call(1, '{"y"')]}),
            chunk({"tool_calls": [call(0, '{"x":')]}),
            chunk({"tool_calls": [call(1, ":2}"), call(0, "1}")]}),
        ],
    ),
    (
        "all at index 0",
        [
            chunk({"tool_calls": [call(0, '{"x":1}', id="a", name="f")]}),
            chunk({"tool_calls": [call(0, '{"y":2}', id="b", name="g")]}),
        ],
    ),
    (
        "no index",
        [
            chunk({"tool_calls": [call(None, '{"x":1}', id="a", name="f")]}),
            chunk({"tool_calls": [call(None, '{"y":2}', id="b", name="g")]}),
        ],
    ),
    (
        "name after the first fragment",
        [
            chunk({"tool_calls": [call(0, '{"x"', id="a")]}),
            chunk({"tool_calls": [call(0, ":1}", name="f")]}),
            chunk({"tool_calls": [call(1, '{"y":2}', id="b", name="g")]}),
        ],
    ),
]


@pytest.mark.parametrize(("how", "chunks"), TOOLS, ids=[how for how, _ in TOOLS])
def test_parallel_tool_calls_come_one_after_the_other(how: str, chunks: list[Json]) -> None:
    """However a server mixes the fragments of its calls, each block is whole."""
    out = run(MessageStream("m"), [sse([*chunks, chunk({}, "stop"), "[DONE]"])])
    seen = message_of(out)
    blocks = sorted((b["id"], b["name"], json.loads(b["json"])) for b in seen["content"])
    assert blocks == [("a", "f", {"x": 1}), ("b", "g", {"y": 2})], how
    assert seen["stop_reason"] == "tool_use"


def test_arguments_of_the_first_tool_call_stream() -> None:
    """The fragments of a tool call reach the client before the call is complete."""
    stream = MessageStream("m")
    stream.feed(sse([chunk({"tool_calls": [call(0, id="a", name="f")]})]))
    out = stream.feed(sse([chunk({"tool_calls": [call(0, '{"path": "a.tx')]})]))
    assert [p["delta"]["partial_json"] for p in payloads(out)] == ['{"path": "a.tx']


def test_text_beside_a_tool_call_is_kept() -> None:
    """Text in the middle of a tool call comes after it, in a block of its own."""
    chunks = [
        chunk({"tool_calls": [call(0, '{"x"', id="a", name="f")]}),
        chunk({"content": "\n"}),
        chunk({"tool_calls": [call(0, ":1}")]}),
        chunk({}, "tool_calls"),
    ]
    seen = message_of(run(MessageStream("m"), [sse([*chunks, "[DONE]"])]))
    assert [b["type"] for b in seen["content"]] == ["tool_use", "text"]
    assert (seen["content"][0]["json"], seen["content"][1]["text"]) == ('{"x":1}', "\n")


def test_tool_call_without_an_id_gets_one() -> None:
    """A server that gives no id leaves its client nothing to answer to."""
    data = sse([chunk({"tool_calls": [call(0, "{}", name="f")]}), chunk({}, "tool_calls")])
    assert message_of(run(MessageStream("m"), [data]))["content"][0]["id"].startswith("call_")


@pytest.mark.parametrize(
    "error",
    [
        {"error": {"message": "Slow down", "type": "rate_limit_error", "code": None}},
        {"error": "Slow down"},
        {"message": "Slow down", "type": "rate_limit_error"},
    ],
)
def test_error_in_the_stream_is_told_and_ends_it(error: Json) -> None:
    """An in-band error becomes Anthropic's `error` event; nothing follows it."""
    chunks = openai_chunks(GREETING, 20)
    out = run(MessageStream("m"), [sse([*chunks[:2], error, *chunks[2:]])])
    seen = message_of(out)
    assert b"event: error\n" in out
    assert seen["error"]["message"] == "Slow down"
    assert seen["content"][0]["text"] == "Hello there"
    assert "done" not in seen


def test_chunk_without_choices_begins_nothing() -> None:
    """A filter's verdict on the prompt, which Azure sends first, is no beginning of a message."""
    assert MessageStream("m").feed(sse([{"choices": [], "prompt_filter_results": []}])) == b""


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "choices",
                        "delta",
                        "tool_calls",
                        "function",
                        "index",
                        "content",
                        "usage",
                        "id",
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_no_event_is_fatal(event: object) -> None:
    """Whatever JSON comes, translating it does not raise."""
    run(MessageStream("m"), [sse([event, {"choices": [event]}, {"choices": [{"delta": event}]}])])
