"""The text inside a message, a content part, a tool call or a whole answer, of any dialect.

The dialects nest text under a small set of field names. Walking those, and no others, finds what
a model reads or writes and passes by image data, ids and settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode

_DEPTH = 12
_FIELDS = (
    "message",
    "thinking",
    "reasoning_content",
    "reasoning",
    "summary",
    "text",
    "content",
    "refusal",
    "function_call",
    "tool_calls",
    "function",
    "name",
    "tool_name",
    "title",
    "context",
    "output",
)
_STRUCTURED = ("arguments", "input")


def pieces(value: Any, depth: int = _DEPTH) -> Iterator[str]:
    """Every text in `value`, in reading order. Never raises on JSON of another shape."""
    if isinstance(value, str):
        if value:
            yield value
    elif depth and isinstance(value, list):
        if value and isinstance(value[0], int):
            yield tokens(value)
        else:
            for item in value:
                yield from pieces(item, depth - 1)
    elif depth and isinstance(value, dict):
        yield from _fields(value, depth - 1)


def tokens(ids: list[Any]) -> str:
    """A text of as many tokens as `ids`, for prompts that come as token ids."""
    return " a" * len(ids)


def as_json(value: Any) -> str:
    """Structured input as the JSON text that a model is shown; empty where it can't be written."""
    try:
        return _encode(value).decode() if value else ""
    except (RecursionError, TypeError, ValueError):
        return ""


def _fields(value: dict[str, Any], depth: int) -> Iterator[str]:
    for name in _FIELDS:
        if name in value:
            yield from pieces(value[name], depth)
    for name in _STRUCTURED:
        inner = value.get(name)
        if isinstance(inner, str):
            yield inner
        elif inner:
            yield as_json(inner)
    source = value.get("source")
    if isinstance(source, dict) and source.get("type") in ("text", "content"):
        yield from pieces(source.get("data") or source.get("content"), depth)
