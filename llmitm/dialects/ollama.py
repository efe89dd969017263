"""Ollama's streams of chat and generate, and of model pulls: one JSON object a line."""

from __future__ import annotations

from typing import Any

import msgspec

from llmitm.dialects import usage
from llmitm.dialects.events import Event
from llmitm.dialects.faults import error_message
from llmitm.dialects.ndjson import NdjsonReader
from llmitm.dialects.pieces import pieces

_NULL = msgspec.Raw(b"null")


class _Message(msgspec.Struct, gc=False):
    content: Any = None
    thinking: Any = None
    tool_calls: Any = None
    images: Any = None


class _Line(msgspec.Struct, gc=False):
    message: _Message | None = None
    response: Any = None
    thinking: Any = None
    image: Any = None
    done: Any = False
    done_reason: Any = None
    prompt_eval_count: Any = None
    eval_count: Any = None
    error: Any = None
    logprobs: msgspec.Raw = _NULL


_line = msgspec.json.Decoder(_Line).decode


class OllamaReader(NdjsonReader):
    """Reads a stream of chat or generate; lines of other operations pass as they are."""

    def _read(self, raw: bytes, payload: bytes) -> Event:
        line = _line(payload)
        if line.error:
            return self._fail(raw, error_message("ollama", payload)[0] or "the provider failed")
        message = line.message
        text = line.response if message is None else message.content
        event = Event(raw)
        if text and type(text) is str:
            event.text, event.content = text, True
            self._keep(text)
        thinking = line.thinking if message is None else message.thinking
        if thinking and type(thinking) is str:
            event.content = True
            self._keep(thinking)
        if message is not None and message.tool_calls:
            event.content = event.tool = event.opaque = self.tool_seen = True
            self._keep("".join(pieces(message.tool_calls)))
        if line.image or (message is not None and message.images):
            event.content = event.opaque = True
        if line.logprobs != _NULL:
            event.opaque = True
        if line.done is True:
            self._done(event, line)
        return event

    def _done(self, event: Event, line: _Line) -> None:
        self.finished = event.done = True
        self.complete = self.error is None
        # Old versions end without a reason.
        event.finish = line.done_reason if type(line.done_reason) is str else "stop"
        counts = {"prompt_eval_count": line.prompt_eval_count, "eval_count": line.eval_count}
        event.usage = self.usage = usage.from_ollama(counts)
