"""The OpenAI API's streams of typed events: responses, and those of images and audio.

Each event names its `type`; a response ends with one that holds the whole object and its usage.
"""

from __future__ import annotations

from typing import Any

import msgspec

from llmitm.dialects import usage
from llmitm.dialects.events import Event
from llmitm.dialects.faults import error_message
from llmitm.dialects.pieces import pieces
from llmitm.dialects.sse import SseReader


class _Response(msgspec.Struct, gc=False):
    status: Any = None
    usage: Any = None
    error: Any = None
    incomplete_details: Any = None


class _Item(msgspec.Struct, gc=False):
    type: Any = None
    name: Any = None


class _Typed(msgspec.Struct, gc=False):
    type: Any = None
    delta: Any = None
    output_index: Any = 0
    response: _Response | None = None
    item: _Item | None = None
    usage: Any = None
    error: Any = None
    logprobs: Any = None


_typed = msgspec.json.Decoder(_Typed).decode

_TEXT = "response.output_text.delta"
_SPOKEN = frozenset((_TEXT, "transcript.text.delta"))
_LAST = frozenset(
    f"response.{status}" for status in ("completed", "incomplete", "failed", "cancelled")
)
_WHOLE = frozenset(
    (
        "transcript.text.done",
        "speech.audio.done",
        "image_generation.completed",
        "image_edit.completed",
    )
)
_THOUGHT = "response.reasoning"
_HIDDEN_TEXT = (_THOUGHT, "response.refusal")
_NOT_TOOLS = (*_HIDDEN_TEXT, "response.audio", "response.output_audio")


class TypedReader(SseReader):
    """Reads a stream of events that name their type."""

    def _read(self, raw: bytes, payload: bytes) -> Event:
        data = _typed(payload)
        kind = data.type
        if type(kind) is not str:
            return self._untyped(raw, payload, data)
        if kind.endswith(".delta"):
            return self._delta(raw, kind, data)
        if kind in _LAST:
            return self._ended(raw, payload, kind, data.response or _Response())
        if kind == "error":
            return self._untyped(raw, payload, data)
        return self._step(raw, kind, data)

    def _delta(self, raw: bytes, kind: str, data: _Typed) -> Event:
        delta = data.delta if type(data.delta) is str else ""
        index = data.output_index if type(data.output_index) is int else 0
        if kind in _SPOKEN:
            self._keep(delta)
            return Event(raw, delta, bool(delta), index=index, opaque=bool(data.logprobs))
        tool = kind.startswith("response.") and not kind.startswith(_NOT_TOOLS)
        self.tool_seen = self.tool_seen or tool
        if tool or kind.startswith(_HIDDEN_TEXT):
            self._keep(delta)
        thought = kind.startswith(_THOUGHT)
        return Event(raw, content=True, tool=tool, index=index, opaque=not thought)

    def _ended(self, raw: bytes, payload: bytes, kind: str, response: _Response) -> Event:
        """A response's last event, which holds the whole of it."""
        self.usage = usage.from_openai(response.usage) or self.usage
        self.finished = True
        if kind == "response.failed":
            event = self._fail(raw, _failure(response.error))
        else:
            self.complete = self.error is None
            event = Event(raw, finish=_reason(kind, response))
        event.usage, event.done = self.usage, True
        return event

    def _step(self, raw: bytes, kind: str, data: _Typed) -> Event:
        """Neither text nor the end: an item begins, an image arrives, a part is finished."""
        event = Event(raw)
        if kind in _WHOLE:
            self.complete = self.error is None
            self.usage = event.usage = usage.from_openai(data.usage) or self.usage
            event.finish = kind
            event.content = True
        elif kind.endswith("partial_image"):
            event.content = event.opaque = True
        elif kind == "response.output_item.added" and data.item and _is_call(data.item):
            event.content = event.tool = event.opaque = self.tool_seen = True
            self._keep("".join(pieces(data.item.name)))
        return event

    def _untyped(self, raw: bytes, payload: bytes, data: _Typed) -> Event:
        """An error, in the API's flat form or a proxy's, or an event of an API not known here."""
        if data.type == "error" or data.error:
            return self._fail(raw, error_message("openai", payload)[0] or "the provider failed")
        if data.usage:
            self.usage = usage.from_openai(data.usage) or self.usage
            return Event(raw, usage=self.usage)
        return Event(raw)


def _is_call(item: _Item) -> bool:
    return type(item.type) is str and item.type.endswith("_call")


def _reason(kind: str, response: _Response) -> str:
    details = response.incomplete_details
    reason = details.get("reason") if isinstance(details, dict) else None
    return reason if isinstance(reason, str) else kind.removeprefix("response.")


def _failure(error: Any) -> str:
    body = {"error": error} if isinstance(error, dict | str) else {}
    return error_message("openai", body)[0] or "the response failed"
