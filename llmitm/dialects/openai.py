"""The OpenAI API's streams of chat and text completions, and the usage they have to be asked for.

Compatible providers differ in what they leave out: fields are decoded only where they are needed,
and without assuming their type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from llmitm.call import Usage
from llmitm.dialects import usage
from llmitm.dialects.events import Event
from llmitm.dialects.faults import error_message
from llmitm.dialects.pieces import pieces
from llmitm.dialects.sse import SseReader

_NULL = msgspec.Raw(b"null")


class _Delta(msgspec.Struct, gc=False):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None
    audio: Any = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Delta | None = None
    text: Any = None
    index: Any = 0
    finish_reason: Any = None
    logprobs: msgspec.Raw = _NULL


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None


_chunk = msgspec.json.Decoder(_Chunk).decode


class ChatReader(SseReader):
    """Reads chat completions and, whose choices have a `text`, text completions."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._finished: dict[int, bool] = {}

    def _read(self, raw: bytes, payload: bytes) -> Event:
        chunk = _chunk(payload)
        if chunk.error:
            return self._fail(raw, error_message("openai", payload)[0] or "the provider failed")
        if not chunk.choices:
            return self._bare(raw, payload, chunk.usage)
        event = Event(raw)
        for choice in chunk.choices:
            self._choice(event, choice)
        if chunk.usage:
            event.usage = self._count(chunk.usage)
        return event

    def _choice(self, event: Event, choice: _Choice) -> None:
        index = choice.index if type(choice.index) is int else 0
        event.index = index
        if index:
            event.opaque = True
        if index not in self._finished:
            self._finished[index] = self.complete = False
        delta = choice.delta
        text = choice.text if delta is None else delta.content
        if text:
            text = text if type(text) is str else _parts(text)
            event.text += text
            event.content = True
            self._keep(text)
        if delta is not None:
            self._hidden(event, delta)
        if choice.logprobs != _NULL:
            event.opaque = True
        if choice.finish_reason and type(choice.finish_reason) is str:
            event.finish = choice.finish_reason
            self._finished[index] = True
            self.complete = self.error is None and all(self._finished.values())

    def _hidden(self, event: Event, delta: _Delta) -> None:
        """Output that is not the visible text."""
        reasoning = delta.reasoning_content or delta.reasoning
        if reasoning:
            event.content = True
            self._keep(_parts(reasoning))
        if delta.tool_calls or delta.function_call:
            event.content = event.tool = event.opaque = self.tool_seen = True
            self._keep("".join(pieces([delta.tool_calls, delta.function_call])))
        if delta.refusal or delta.audio:
            event.content = event.opaque = True
            self._keep(_parts(delta.refusal))

    def _bare(self, raw: bytes, payload: bytes, reported: Any) -> Event:
        """A chunk without choices: usage, a filter's verdict, or an error in another shape."""
        if reported:
            return Event(raw, usage=self._count(reported), usage_only=True)
        message = error_message("openai", payload)[0]
        return self._fail(raw, message) if message else Event(raw)

    def _count(self, reported: Any) -> Usage | None:
        counted = usage.from_openai(reported)
        self.usage = counted or self.usage
        return counted


def ask_for_usage(body: Mapping[str, Any], operation: str = "chat") -> dict[str, Any] | None:
    """The change to a request that makes its stream report usage.

    None where the client asks for it itself, and for all but streamed chat and completions.
    """
    if operation not in ("chat", "completions") or body.get("stream") is not True:
        return None
    if "messages" not in body and "prompt" not in body:
        return None
    options = body.get("stream_options")
    if options is None:
        options = {}
    if not isinstance(options, dict) or options.get("include_usage") is True:
        return None
    return {"stream_options": {**options, "include_usage": True}}


def _parts(value: Any) -> str:
    """Text that may come as a list of parts, as Mistral's reasoning models send it."""
    if type(value) is str:
        return value
    if type(value) is not list:
        return ""
    return "".join(
        part["text"] for part in value if type(part) is dict and type(part.get("text")) is str
    )
