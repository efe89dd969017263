"""The Anthropic API's message streams."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import msgspec

from llmitm.call import Usage
from llmitm.dialects import usage
from llmitm.dialects.events import Event
from llmitm.dialects.faults import error_message
from llmitm.dialects.pieces import pieces
from llmitm.dialects.sse import SseReader, frame


class _Delta(msgspec.Struct, gc=False):
    type: Any = None
    text: Any = None
    thinking: Any = None
    partial_json: Any = None
    stop_reason: Any = None


class _Block(msgspec.Struct, gc=False):
    type: Any = None
    text: Any = None
    name: Any = None


class _Message(msgspec.Struct, gc=False):
    usage: Any = None


class _Part(msgspec.Struct, gc=False):
    type: Any = None
    index: Any = 0
    delta: _Delta | None = None
    content_block: _Block | None = None
    message: _Message | None = None
    usage: Any = None


_part = msgspec.json.Decoder(_Part).decode

_PLAIN_BLOCKS = frozenset(("text", "thinking", "redacted_thinking"))


class MessagesReader(SseReader):
    """Reads a message stream. Its usage is cumulative, input in the first event, output later."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.opened = self.complete
        self._counts: dict[str, Any] = {}

    def _read(self, raw: bytes, payload: bytes) -> Event:
        part = _part(payload)
        kind = part.type
        if kind == "content_block_delta" and part.delta is not None:
            return self._delta(raw, _index(part), part.delta)
        if kind == "content_block_start" and part.content_block is not None:
            return self._block(raw, _index(part), part.content_block)
        if kind == "message_delta":
            return self._message_delta(raw, part)
        if kind == "message_start":
            self.opened = True
            return Event(raw, usage=self._count(part.message.usage if part.message else None))
        if kind == "message_stop":
            self.finished = True
            self.complete = self.error is None
            return Event(raw, done=True)
        if kind == "error":
            return self._fail(raw, error_message("anthropic", payload)[0] or "the provider failed")
        return Event(raw, comment=kind == "ping")

    def _delta(self, raw: bytes, index: int, delta: _Delta) -> Event:
        text = delta.text
        if type(text) is str and text:
            self._keep(text)
            return Event(raw, text, True, index=index)
        hidden = delta.thinking or delta.partial_json
        if type(hidden) is str:
            self._keep(hidden)
        tool = type(delta.partial_json) is str
        empty = text == "" or delta.thinking == "" or delta.partial_json == ""
        return Event(raw, content=not empty, tool=tool, opaque=tool, index=index)

    def _block(self, raw: bytes, index: int, block: _Block) -> Event:
        if type(block.type) is str and block.type in _PLAIN_BLOCKS:
            text = block.text if type(block.text) is str else ""
            self._keep(text)
            return Event(raw, text, bool(text), index=index)
        self.tool_seen = True
        self._keep("".join(pieces(block.name)))
        return Event(raw, content=True, tool=True, opaque=True, index=index)

    def _message_delta(self, raw: bytes, part: _Part) -> Event:
        event = Event(raw, usage=self._count(part.usage))
        reason = part.delta.stop_reason if part.delta else None
        if type(reason) is str and reason:
            event.finish = reason
            self.complete = self.error is None
        return event

    def _count(self, reported: Any) -> Usage | None:
        if not isinstance(reported, dict):
            return None
        for name, value in reported.items():
            before = self._counts.get(name)
            if isinstance(value, int) and isinstance(before, int):
                self._counts[name] = max(value, before)  # some providers repeat a count as zero
            elif value is not None:
                self._counts[name] = value
        self.usage = usage.from_anthropic(self._counts)
        return self.usage


def message_head(message_id: str, model: str) -> dict[str, Any]:
    """A message as it begins: nothing said yet."""
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage.to_anthropic(Usage()),
    }


def opening(model: str) -> Event:
    """The event that a message stream begins with, for a provider that left it out.

    llama.cpp does where an answer's first token is less than a character.
    """
    message = message_head(f"msg_{uuid4().hex[:24]}", model)
    data = msgspec.json.encode({"type": "message_start", "message": message})
    return Event(frame(data, "message_start"))


def _index(part: _Part) -> int:
    return part.index if type(part.index) is int else 0
