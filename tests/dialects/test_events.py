"""What holds for every reader, whatever its dialect."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.dialects import reader_for
from llmitm.dialects.anthropic import MessagesReader
from llmitm.dialects.events import MAX_TEXT, Event
from llmitm.dialects.ollama import OllamaReader
from llmitm.dialects.openai import ChatReader
from llmitm.dialects.responses import TypedReader

READERS = [ChatReader, TypedReader, MessagesReader, OllamaReader]

FRAGMENTS = [
    b"data: ",
    b"data:",
    b"data",
    b"event: error",
    b"event: content_block_delta",
    b": ping",
    b"id: 1",
    b"[DONE]",
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"\xef\xbb\xbf",
    b"\xff",
    b"{",
    b'{"choices":[{"index":0,"delta":{"content":"hi"}}]}',
    b'{"choices":[{"index":1,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}]}',
    b'{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3}}',
    b'{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}',
    b'{"error":{"message":"no"}}',
    b'{"type":"message_start","message":{"usage":{"input_tokens":3}}}',
    b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
    b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}',
    b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}',
    b'{"type":"message_stop"}',
    b'{"type":"response.output_text.delta","delta":"hi"}',
    b'{"type":"response.completed","response":{"usage":{"input_tokens":1}}}',
    b'{"message":{"content":"hi"},"done":false}',
    b'{"response":"hi","done":true,"eval_count":2}',
]

fragments = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=6), max_size=30).map(b"".join)
chunk_sizes = st.lists(st.integers(1, 40), min_size=1, max_size=20)


def read(reader, data, sizes=()):
    events, at = [], 0
    for size in sizes:
        events += reader.feed(data[at : at + size])
        at += size
    return [*events, *reader.feed(data[at:]), *reader.end()]


def state(reader):
    return (
        reader.complete,
        reader.finished,
        reader.usage,
        reader.error,
        reader.tool_seen,
        reader.text,
        reader.chars,
    )


@pytest.mark.parametrize("reader", READERS)
@given(data=fragments, sizes=chunk_sizes)
def test_any_chunking_gives_the_same_events(reader, data, sizes):
    """Events do not depend on how the bytes were cut, and their bytes are the bytes received."""
    whole, cut = reader(), reader()
    events = read(whole, data)
    assert b"".join(event.raw for event in events) == data
    assert read(cut, data, sizes) == events
    assert state(cut) == state(whole)


@pytest.mark.parametrize("reader", READERS)
@given(data=fragments, sizes=chunk_sizes)
def test_a_long_event_is_cut_at_the_limit(reader, data, sizes):
    """No event is longer than the limit, and a cut one is malformed, in any chunking."""
    events = read(reader(limit=50), data)
    assert b"".join(event.raw for event in events) == data
    assert all(len(event.raw) <= 50 for event in events)
    assert read(reader(limit=50), data, sizes) == events


NAMES = st.sampled_from(
    [
        "choices",
        "delta",
        "content",
        "index",
        "finish_reason",
        "usage",
        "error",
        "type",
        "message",
        "text",
        "reasoning",
        "tool_calls",
        "content_block",
        "partial_json",
        "stop_reason",
        "response",
        "item",
        "done",
        "done_reason",
        "logprobs",
        "audio",
        "refusal",
        "prompt_tokens",
        "input_tokens",
        "total_tokens",
        "prompt_tokens_details",
        "cached_tokens",
        "name",
        "output_index",
        "status",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=25,
)
TYPES = st.sampled_from(
    [
        "error",
        "message_start",
        "content_block_start",
        "content_block_delta",
        "message_delta",
        "response.output_text.delta",
        "response.completed",
        "response.failed",
        "response.output_item.added",
        "image_generation.completed",
    ]
)


@pytest.mark.parametrize("reader", READERS)
@given(value=st.dictionaries(NAMES, JSON), kind=TYPES | JSON)
def test_json_of_any_shape_is_read(reader, value, kind):
    """A field of an unexpected type never stops a stream."""
    data = json.dumps({**value, "type": kind}).encode()
    framed = data + b"\n" if reader is OllamaReader else b"data: " + data + b"\n\n"
    (event,) = reader().feed(framed)
    assert event.raw == framed


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("payload", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b'"\\ud800"'])
def test_hostile_json_is_malformed(reader, payload):
    """Nesting that exhausts a parser's stack, and bytes that are no text, are malformed events."""
    framed = payload + b"\n" if reader is OllamaReader else b"data: " + payload + b"\n\n"
    assert reader().feed(framed) == [Event(framed, malformed=True)]


def test_text_is_bounded_and_still_counted():
    """A reader keeps a bounded part of the output and counts all of it."""
    reader = ChatReader()
    delta = "x" * 10_000
    event = b'data: {"choices":[{"delta":{"content":"%s"}}]}\n\n' % delta.encode()
    for _ in range(200):
        reader.feed(event)
    assert reader.chars == 2_000_000
    assert MAX_TEXT <= len(reader.text) < MAX_TEXT + len(delta)


@pytest.mark.parametrize(
    ("dialect", "operation", "reader", "complete"),
    [
        ("openai", "chat", ChatReader, False),
        ("openai", "completions", ChatReader, False),
        ("openai", "messages", ChatReader, False),
        ("openai", "responses", TypedReader, False),
        ("openai", "images", TypedReader, True),
        ("openai", "other", TypedReader, True),
        ("anthropic", "messages", MessagesReader, False),
        ("anthropic", "chat", MessagesReader, False),
        ("anthropic", "other", MessagesReader, True),
        ("ollama", "chat", OllamaReader, False),
        ("ollama", "generate", OllamaReader, False),
        ("ollama", "pull", OllamaReader, True),
    ],
)
def test_reader_of_an_operation(dialect, operation, reader, complete):
    """A stream of an operation whose end mark isn't known is never called truncated."""
    made = reader_for(dialect, operation)
    assert type(made) is reader
    assert made.complete is complete
