"""Whether an answer is one that may be given again: whole, and ended as answers should."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from llmitm import dialects

# Why good answers end. Filters, refusals, pauses and what isn't known here are not among them.
_GOOD = frozenset(
    {
        *("stop", "length", "tool_calls", "function_call"),
        *("end_turn", "max_tokens", "stop_sequence", "tool_use"),
        *("completed", "max_output_tokens"),
    }
)
_VECTORS = {"embeddings": ("data",), "embed": ("embeddings", "embedding")}


def is_completed(dialect: str, operation: str, body: bytes) -> bool:
    """Whether a whole JSON answer says that nothing is missing."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return False
    if not isinstance(answer, dict) or answer.get("error"):
        return False
    if operation in _VECTORS:
        return any(answer.get(name) for name in _VECTORS[operation])
    ends = _ends(dialect, operation, answer)
    return bool(ends) and _GOOD.issuperset(ends)


def text_of_completed(dialect: str, operation: str, body: bytes, *, ended: bool) -> str | None:
    """The text of a stream that says that nothing is missing; None of any other.

    `ended` is whether all of it is there; else its last event tells.
    """
    reader = dialects.reader_for(dialect, operation)
    events = [*reader.feed(body), *reader.end()]
    ends = [event.finish for event in events if event.finish]
    whole = reader.complete and (ended or reader.finished) and reader.error is None
    return reader.text if whole and ends and _GOOD.issuperset(ends) else None


def _ends(dialect: str, operation: str, answer: Mapping[str, Any]) -> list[str]:
    """Why an answer ended, each of its choices."""
    choices = answer.get("choices")
    parts = [answer] if not isinstance(choices, list) else [{"choices": [one]} for one in choices]
    return [str(dialects.finish_of(dialect, operation, part)) for part in parts]
