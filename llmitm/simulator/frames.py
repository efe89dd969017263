"""Events as bytes: server-sent events and JSON lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

encode = msgspec.json.Encoder().encode

# Stands where the text of each token goes, when the rest of an event is encoded once.
HOLE = "\N{WHITE SQUARE}\N{REPLACEMENT CHARACTER}"
_HOLE = encode(HOLE)

DONE = b"data: [DONE]\n\n"


def data(event: Any) -> bytes:
    """An event without a name, as OpenAI's chat streams have them."""
    return b"data: " + encode(event) + b"\n\n"


def named(event: Mapping[str, Any]) -> bytes:
    """An event that is named for its type, as Anthropic's and OpenAI's Responses streams are."""
    return f"event: {event['type']}\n".encode() + data(event)


def line(event: Any) -> bytes:
    """A line of JSON, as Ollama streams them."""
    return encode(event) + b"\n"


def mould(frame: bytes) -> Callable[[str], bytes]:
    """Makes events like `frame`, with a text each in place of its last HOLE."""
    head, _, tail = frame.rpartition(_HOLE)
    return lambda text: head + encode(text) + tail
