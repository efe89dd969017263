from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http

from llmitm.dialects.faults import error_event
from llmitm.errors import Cause, GatewayError
from llmitm.seeds.stream import EVENTS, TEXT, TextStream, wants_events

WORDS = ["Grüße", " aus", " 東京", " 🎈", "\n\n"]


def chunk(**delta: Any) -> bytes:
    value = {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    return b"data: " + json.dumps(value).encode() + b"\n\n"


STREAM = b"".join(
    [
        chunk(role="assistant", content=""),
        *(chunk(content=word) for word in WORDS),
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
        b"data: [DONE]\n\n",
    ]
)


def stream(events: bool) -> TextStream:
    return TextStream(events, lambda message: {"error": message})


def parts(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(places)]


@given(st.lists(st.integers(0, 10_000), max_size=20))
def test_text_in_any_chunking(cuts: list[int]) -> None:
    """Bare text is the words themselves, whole characters only, however the stream is cut."""
    told = stream(events=False)
    said = [told(part) for part in parts(STREAM, cuts)]
    assert "".join(part.decode() for part in said) == "".join(WORDS)
    assert told(b"") == b""
    assert told.media_type == TEXT


@given(st.lists(st.integers(0, 10_000), max_size=20))
def test_events_in_any_chunking(cuts: list[int]) -> None:
    """As events each word is one, and an end mark is the last."""
    told = stream(events=True)
    said = b"".join(told(part) for part in parts(STREAM, cuts)) + told(b"")
    *events, last, rest = said.decode().split("\n\n")
    assert [json.loads(e.removeprefix("data: "))["response"] for e in events] == WORDS
    assert (last, rest, told.media_type) == ("data: [DONE]", "", EVENTS)


def test_each_word_at_once() -> None:
    """A chunk is told as soon as it is whole."""
    told = stream(events=False)
    assert told(chunk(content="one")) == b"one"
    assert told(chunk(content="two")[:20]) == b""


def test_errors() -> None:
    """An error in the stream is an event of its own; bare text says nothing of it."""
    error = GatewayError(Cause.STREAM_CUT, "The answer broke off.")
    said = error_event(error, "openai", "chat")
    expected = b'event: error\ndata: {"error":"The answer broke off."}\n\n'
    assert stream(events=True)(said) == expected
    assert stream(events=False)(said) == b""


@pytest.mark.parametrize("events", [True, False])
def test_what_came_at_once(events: bool) -> None:
    """A text that the provider did not stream is told like one that it did."""
    said = stream(events).whole("hello")
    assert said == (b'data: {"response":"hello"}\n\ndata: [DONE]\n\n' if events else b"hello")


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/event-stream", True),
        ("application/json, Text/Event-Stream;q=0.9", True),
        ("*/*", False),
        ("text/plain", False),
        (None, False),
    ],
)
def test_wants_events(accept: str | None, expected: bool) -> None:
    """Only a client that asks for server-sent events gets them."""
    headers = http.Headers(accept=accept) if accept else http.Headers()
    assert wants_events(headers) is expected
