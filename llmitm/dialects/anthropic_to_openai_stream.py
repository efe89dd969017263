"""Chat Completions chunks as Anthropic's message events."""

from __future__ import annotations

from llmitm.dialects.anthropic import message_head
from llmitm.dialects.anthropic_to_openai_answer import (
    message_id,
    message_usage,
    reasoning,
    stop_reason,
)
from llmitm.dialects.carry import Json, items, sub, text
from llmitm.dialects.chunks import ChunkTranslation
from llmitm.dialects.frames import event
from llmitm.dialects.tool_calls import ToolCall, ToolCalls, fresh_id


class MessageStream(ChunkTranslation):
    """One message, event by event, one content block after the other.

    The first tool call streams; whatever comes beside it waits for its end, because OpenAI may mix
    the fragments of several calls, and of text, and Anthropic may not.
    """

    dialect = "anthropic"

    def __init__(self, model: str) -> None:
        super().__init__()
        self._model = model
        self._started = False
        self._index = -1
        self._open: str | ToolCall | None = None
        self._tools = ToolCalls()
        self._waiting: list[ToolCall] = []
        self._held: list[tuple[str, Json]] = []

    def _choice(self, payload: Json, choice: Json) -> bytes:
        out = b"" if self._started else self._start(payload)
        return out + self._delta(sub(choice, "delta"))

    def _start(self, payload: Json) -> bytes:
        self._started = True
        message = message_head(message_id(payload), self._model)
        return _named({"type": "message_start", "message": message})

    def _delta(self, delta: Json) -> bytes:
        out = b""
        if thought := reasoning(delta):
            out += self._say("thinking", {"type": "thinking_delta", "thinking": thought})
        if said := text(delta, "content") + text(delta, "refusal"):
            out += self._say("text", {"type": "text_delta", "text": said})
        for fragment in items(delta, "tool_calls"):
            out += self._call(*self._tools.add(fragment))
        return out

    def _say(self, kind: str, delta: Json) -> bytes:
        if isinstance(self._open, ToolCall):
            self._held.append((kind, delta))
            return b""
        out = b""
        if self._open != kind:
            block = {"type": kind, kind: ""}
            out = self._begin(kind, block | {"signature": ""} if kind == "thinking" else block)
        return out + self._add(delta)

    def _call(self, call: ToolCall, part: str) -> bytes:
        if self._open is call:
            return self._add_json(part)
        if call in self._waiting:
            return b""
        if isinstance(self._open, ToolCall) or not call.name:
            self._waiting.append(call)
            return b""
        return self._begin_call(call)

    def _begin_call(self, call: ToolCall) -> bytes:
        block = {"type": "tool_use", "id": call.id or fresh_id(), "name": call.name, "input": {}}
        return self._begin(call, block) + self._add_json(call.arguments)

    def _begin(self, what: str | ToolCall, block: Json) -> bytes:
        out = self._stop_block()
        self._index += 1
        self._open = what
        start = {"type": "content_block_start", "index": self._index, "content_block": block}
        return out + _named(start)

    def _add(self, delta: Json) -> bytes:
        return _named({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _add_json(self, part: str) -> bytes:
        return self._add({"type": "input_json_delta", "partial_json": part}) if part else b""

    def _stop_block(self) -> bytes:
        if self._open is None:
            return b""
        self._open = None
        return _named({"type": "content_block_stop", "index": self._index})

    def _finished(self) -> bytes:
        self.done = True
        out = b"".join(map(self._begin_call, self._waiting)) + self._stop_block()
        out += b"".join(self._say(kind, delta) for kind, delta in self._held) + self._stop_block()
        reason = stop_reason(self._finish, called=bool(self._tools.calls))
        delta = {"stop_reason": reason, "stop_sequence": None}
        usage = message_usage(self._usage)
        out += _named({"type": "message_delta", "delta": delta, "usage": usage})
        return out + _named({"type": "message_stop"})

    def _frame_error(self, error: Json) -> bytes:
        return event(error, "error")


def _named(payload: Json) -> bytes:
    """An event named for its type, as Anthropic's are."""
    return event(payload, payload["type"])
