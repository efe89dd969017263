"""Anthropic's message events become Chat Completions chunks."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.dialects.openai_to_anthropic_answer import chat_completion
from llmitm.dialects.openai_to_anthropic_stream import ChatStream
from tests.dialects.streams import (
    PLACES,
    Json,
    anthropic_events,
    chat_of,
    cut,
    messages,
    payloads,
    run,
    sse,
)

GREETING: Json = {
    "id": "msg_01",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-6",
    "content": [{"type": "text", "text": "Hello there"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 10, "cache_read_input_tokens": 4, "output_tokens": 7},
}


@given(messages(), st.integers(1, 5), PLACES)
def test_stream_says_what_the_whole_answer_says(
    message: Json, size: int, places: list[int]
) -> None:
    """Text, thinking, tool calls, finish reason and usage are those of the whole answer."""
    data = sse(anthropic_events(message, size), named=True)
    seen = chat_of(run(ChatStream("claude", include_usage=True), cut(data, places)))
    whole = chat_completion(message, "claude")
    said = whole["choices"][0]["message"]
    assert seen["content"] == (said["content"] or "")
    assert seen["reasoning_content"] == said.get("reasoning_content", "")
    assert [
        (call["id"], call["name"], json.loads(call["arguments"])) for call in seen["calls"].values()
    ] == [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in said.get("tool_calls", [])
    ]
    assert [{**t, "index": None} for t in seen["thoughts"]] == [
        {**t, "index": None} for t in said.get("thinking_blocks", [])
    ]
    assert seen["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert seen["usage"] == whole["usage"]
    assert seen["done"] is True
    assert seen["ids"] == {whole["id"]}
    assert seen["roles"] == 1


@given(messages(), PLACES, st.integers(0, 10_000))
def test_cut_stream_has_no_end(message: Json, places: list[int], at: int) -> None:
    """A stream that breaks off before its stop reason ends without finish reason and [DONE]."""
    events = anthropic_events(message)[:-2]
    data = sse(events, named=True)
    data = data[: at % (len(data) + 1)]
    seen = chat_of(run(ChatStream("claude"), cut(data, places)))
    assert "done" not in seen
    assert seen.get("finish_reason") is None


def test_golden_stream() -> None:
    """A role first, text as it comes, one finish reason, and no usage that nobody asked for."""
    stream = ChatStream("gpt-4o")
    out = list(payloads(run(stream, [sse(anthropic_events(GREETING, 8), named=True)])))
    assert stream.done
    assert out.pop() == "[DONE]"
    assert [chunk["choices"][0]["delta"] for chunk in out] == [
        {"role": "assistant", "content": ""},
        {"content": "Hello th"},
        {"content": "ere"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in out] == [None, None, None, "stop"]
    assert {(chunk["id"], chunk["model"], chunk["object"]) for chunk in out} == {
        ("chatcmpl-01", "gpt-4o", "chat.completion.chunk")
    }
    assert not any("usage" in chunk for chunk in out)


def test_usage_chunk_comes_last_where_it_was_asked_for() -> None:
    """With include_usage, the last chunk has no choices and cached tokens are in the prompt's."""
    data = sse(anthropic_events(GREETING), named=True)
    *chunks, last, _done = payloads(run(ChatStream("m", include_usage=True), [data]))
    assert last["choices"] == []
    assert last["usage"]["prompt_tokens"] == 14
    assert last["usage"]["prompt_tokens_details"]["cached_tokens"] == 4
    assert last["usage"]["total_tokens"] == 21
    assert all(chunk["usage"] is None for chunk in chunks)


@pytest.mark.parametrize("repeated", [None, 0, 10])
def test_counts_that_are_repeated_at_the_end(repeated: int | None) -> None:
    """Input tokens of the first event stay, whatever the last one makes of them."""
    *head, delta, stop = anthropic_events(GREETING)
    delta["usage"]["input_tokens"] = repeated
    data = sse([*head, delta, stop], named=True)
    usage = chat_of(run(ChatStream("m", include_usage=True), [data]))["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (14, 7)


def test_stop_reason_without_message_stop_is_an_end() -> None:
    """A stream whose stop reason came is whole, though its last event is missing."""
    data = sse(anthropic_events(GREETING)[:-1], named=True)
    assert chat_of(run(ChatStream("m"), [data]))["done"] is True


def test_error_in_the_stream_is_told_and_ends_it() -> None:
    """An in-band error becomes OpenAI's; nothing follows, not even the end of the message."""
    events = anthropic_events(GREETING, 20)
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    out = run(ChatStream("m"), [sse([*events[:4], error, *events[4:]], named=True)])
    seen = chat_of(out)
    assert seen["content"] == "Hello there"
    assert seen["error"]["message"] == "Overloaded"
    assert seen["error"]["type"] == "server_error"
    assert "done" not in seen


@pytest.mark.parametrize(
    "junk",
    [
        "data: {not json\n\n",
        "data: [1, 2]\n\n",
        ": comment\n\n",
        "event: x\n\n",
        'data: {"type": "content_block_delta"}\n\n',
        'data: {"type": 7, "index": []}\n\n',
        'data: {"type": "content_block_delta", "index": {}, "delta": 1}\n\n',
        'data: {"type": "content_block_start", "content_block": {"type": ["text"]}}\n\n',
        'data: {"type": "message_delta", "delta": null, "usage": 3}\n\n',
    ],
)
def test_malformed_event_is_passed_by(junk: str) -> None:
    """An event that makes no sense changes nothing about the others."""
    events = anthropic_events(GREETING)
    data = sse(events[:4], named=True) + junk.encode() + sse(events[4:], named=True)
    seen = chat_of(run(ChatStream("m"), [data]))
    assert (seen["content"], seen["finish_reason"]) == ("Hello there", "stop")


def test_tool_that_runs_at_the_provider_is_not_called_again() -> None:
    """Blocks of server tools, and the arguments in them, are nothing to a client of OpenAI."""
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    part = {"type": "input_json_delta", "partial_json": '{"query": "x"}'}
    events = [
        {"type": "content_block_start", "index": 9, "content_block": search},
        {"type": "content_block_delta", "index": 9, "delta": part},
        {"type": "content_block_stop", "index": 9},
    ]
    whole = anthropic_events(GREETING)
    seen = chat_of(run(ChatStream("m"), [sse([whole[0], *events, *whole[1:]], named=True)]))
    assert (seen["calls"], seen["content"]) == ({}, "Hello there")


def test_refusal_is_told() -> None:
    """What Anthropic says about a refusal comes as OpenAI's `refusal`, with content_filter."""
    message = {**GREETING, "content": [], "stop_reason": "refusal"}
    *head, delta, stop = anthropic_events(message)
    delta["delta"]["stop_details"] = {"type": "refusal", "explanation": "No weapons."}
    out = list(payloads(run(ChatStream("m"), [sse([*head, delta, stop], named=True)])))
    assert [c["choices"][0]["delta"] for c in out[1:-1]] == [{"refusal": "No weapons."}, {}]
    assert out[-2]["choices"][0]["finish_reason"] == "content_filter"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "index", "delta", "content_block", "usage", "message"]),
                inner
                | st.sampled_from(["content_block_start", "tool_use", "text", "message_delta"]),
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_no_event_is_fatal(event: object) -> None:
    """Whatever JSON comes, translating it does not raise."""
    run(ChatStream("m"), [sse([event, event])])
