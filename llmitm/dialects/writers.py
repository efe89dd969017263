"""Writing the events that continue or close a stream which another provider began.

A writer first learns what every event of the stream repeats (id, model, created …) and then
writes more of the same, so that a client sees one stream.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from typing import Any

import msgspec

from llmitm.call import Usage
from llmitm.dialects import usage as counts
from llmitm.dialects.events import Event
from llmitm.dialects.sse import frame, payload_of

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


class Writer(ABC):
    """`ready`: enough of the stream was seen, and its state allows it, to write on.

    `number`: the next event's, in a dialect that numbers them.
    """

    @property
    def number(self) -> int:
        return 0

    @property
    @abstractmethod
    def ready(self) -> bool: ...

    @abstractmethod
    def learn(self, event: Event) -> None:
        """Take note of an event that the client got."""

    @abstractmethod
    def text(self, delta: str) -> bytes:
        """Events that add `delta` to the answer."""

    @abstractmethod
    def finish(self, reason: str | None, usage: Usage | None, want_usage: bool) -> bytes:
        """Events that end the answer; `reason` is in the dialect's words, None for a plain end."""


class ChunkWriter(Writer):
    """OpenAI chat and text completions."""

    _REPEATED = ("id", "object", "created", "model", "system_fingerprint", "service_tier")

    def __init__(self, operation: str) -> None:
        self._chat = operation == "chat"
        self._head: dict[str, Any] = {}
        self._tail: dict[str, Any] = {}

    @property
    def ready(self) -> bool:
        return bool(self._head)

    def learn(self, event: Event) -> None:
        if self._head:
            return
        chunk = _object(payload_of(event.raw))
        if chunk.get("choices"):
            self._head = {name: chunk[name] for name in self._REPEATED if name in chunk}
            if "usage" in chunk:
                self._tail = {"usage": None}

    def text(self, delta: str) -> bytes:
        return self._chunk([self._choice(delta, None)])

    def finish(self, reason: str | None, usage: Usage | None, want_usage: bool) -> bytes:
        closing = self._chunk([self._choice("", reason or "stop")])
        if usage and want_usage:
            closing += frame(
                _encode({**self._head, "choices": [], "usage": counts.to_openai(usage)})
            )
        return closing + frame(b"[DONE]")

    def _choice(self, text: str, reason: str | None) -> dict[str, Any]:
        said = {"delta": {"content": text} if text else {}} if self._chat else {"text": text}
        return {"index": 0, **said, "logprobs": None, "finish_reason": reason}

    def _chunk(self, choices: list[dict[str, Any]]) -> bytes:
        return frame(_encode({**self._head, "choices": choices, **self._tail}))


class MessageWriter(Writer):
    """Anthropic messages. A thinking block that broke off lacks its signature: that is the end."""

    def __init__(self) -> None:
        self._started = False
        self._open: int | None = None
        self._open_text = False
        self._next = 0

    @property
    def ready(self) -> bool:
        return self._started and (self._open is None or self._open_text)

    def learn(self, event: Event) -> None:
        if event.content and (not event.text or self._open is not None):
            return  # a delta of the open block
        part = _object(payload_of(event.raw))
        match part.get("type"):
            case "message_start":
                self._started = True
            case "content_block_start":
                block = part.get("content_block")
                self._open, self._next = event.index, event.index + 1
                self._open_text = isinstance(block, dict) and block.get("type") == "text"
            case "content_block_stop":
                self._open = None

    def text(self, delta: str) -> bytes:
        opening = b""
        if self._open is None:
            self._open, self._next, self._open_text = self._next, self._next + 1, True
            block = {"type": "text", "text": ""}
            opening = _named("content_block_start", index=self._open, content_block=block)
        text = {"type": "text_delta", "text": delta}
        return opening + _named("content_block_delta", index=self._open, delta=text)

    def finish(self, reason: str | None, usage: Usage | None, want_usage: bool) -> bytes:
        closing = b""
        if self._open is not None:
            closing = _named("content_block_stop", index=self._open)
            self._open = None
        delta = {"stop_reason": reason or "end_turn", "stop_sequence": None}
        closing += _named("message_delta", delta=delta, usage=counts.to_anthropic(usage or Usage()))
        return closing + _named("message_stop")


class LineWriter(Writer):
    """Ollama chat and generate. Durations are nanoseconds since the writer was made."""

    def __init__(self, operation: str) -> None:
        self._chat = operation == "chat"
        self._model: str | None = None
        self._made = time.monotonic_ns()
        self._first = self._made

    @property
    def ready(self) -> bool:
        return self._model is not None

    def learn(self, event: Event) -> None:
        if self._model is None:
            model = _object(event.raw).get("model")
            self._model = model if isinstance(model, str) else None
            self._first = time.monotonic_ns()

    def text(self, delta: str) -> bytes:
        return self._line(delta, {"done": False})

    def finish(self, reason: str | None, usage: Usage | None, want_usage: bool) -> bytes:
        now = time.monotonic_ns()
        ending = {"done": True, "done_reason": reason or "stop", "total_duration": now - self._made}
        ending |= counts.to_ollama(usage or Usage())
        return self._line("", {**ending, "eval_duration": now - self._first})

    def _line(self, text: str, ending: dict[str, Any]) -> bytes:
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        said = (
            {"message": {"role": "assistant", "content": text}}
            if self._chat
            else {"response": text}
        )
        return _encode({"model": self._model or "", "created_at": now, **said, **ending}) + b"\n"


def _named(kind: str, **fields: Any) -> bytes:
    return frame(_encode({"type": kind, **fields}), kind)


def _object(payload: bytes | None) -> dict[str, Any]:
    try:
        return _decode(payload) if payload else {}
    except (ValueError, RecursionError):
        return {}
