"""Writing the events that continue or close a response which another provider began."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from llmitm.call import Usage
from llmitm.dialects import usage as counts
from llmitm.dialects.carry import Json, text
from llmitm.dialects.events import Event
from llmitm.dialects.frames import event as framed
from llmitm.dialects.response_object import ended
from llmitm.dialects.responses_to_chat_items import Happening, Message
from llmitm.dialects.sse import payload_of
from llmitm.dialects.writers import Writer


class _Step(msgspec.Struct, gc=False):
    type: Any = None
    sequence_number: Any = None
    output_index: Any = None
    response: msgspec.Raw = msgspec.Raw()
    item: msgspec.Raw = msgspec.Raw()
    part: msgspec.Raw = msgspec.Raw()


_step = msgspec.json.Decoder(_Step).decode
_object = msgspec.json.Decoder(dict[str, Any]).decode


class ResponseWriter(Writer):
    """OpenAI's responses: text goes on in the message that is open, or in a new one.

    Not while a thought is being told, and not between the end of a text and that of its message.
    """

    def __init__(self) -> None:
        self._response: Json = {}
        self._output: dict[int, Json] = {}
        self._message: Message | None = None
        self._between = False
        self._next = 0
        self._last = b""  # the event that tells the latest number

    @property
    def ready(self) -> bool:
        return bool(self._response) and not self._between

    @property
    def number(self) -> int:
        if self._last:
            given = _read(self._last).sequence_number
            self._next = given + 1 if isinstance(given, int) else self._next
            self._last = b""
        return self._next

    def learn(self, event: Event) -> None:
        if event.comment:
            return
        self._last = event.raw
        if event.text and self._message is not None:
            self._message.hear(event.text)
        elif not (event.content or event.done):
            self._step(_read(event.raw))

    def text(self, delta: str) -> bytes:
        begun: list[Happening] = []
        if self._message is None:
            self._message = Message(max(self._output, default=-1) + 1)
            begun = [*self._message.begin()]
        return self._framed([*begun, *self._message.say("output_text", delta, [])])

    def finish(self, reason: str | None, usage: Usage | None, want_usage: bool) -> bytes:
        cut_short = None if reason == "completed" else reason
        closing = self._closed("incomplete" if cut_short else "completed")
        output = [self._output[index] for index in sorted(self._output)]
        counted = counts.to_responses(usage) if usage else None
        head = {**self._response, "store": False}  # whoever began it does not have the whole
        response = ended(head, output, cut_short, counted)
        return closing + self._framed([(f"response.{response['status']}", {"response": response})])

    def _step(self, step: _Step) -> None:
        """An event that adds no text: an item or a part begins or ends."""
        match step.type:
            case "response.created":
                self._response = _value(step.response)
            case "response.output_item.added":
                self._opened(step.output_index, _value(step.item))
            case "response.content_part.added" if self._message is not None:
                self._between = self._between or _value(step.part).get("type") != "output_text"
                self._message.hear("")
            case "response.output_item.done" if isinstance(step.output_index, int):
                self._output[step.output_index] = _value(step.item)
                self._message, self._between = None, False
            case str(kind) if kind.startswith("response.output_text."):
                self._between = True

    def _opened(self, index: object, item: Json) -> None:
        self._message = None
        if item.get("type") == "message" and isinstance(index, int):
            self._message = Message(index, text(item, "id"))
        self._between = self._message is None

    def _closed(self, status: str) -> bytes:
        message, self._message = self._message, None
        if message is None:
            return b""
        closing = self._framed(message.end(status))
        self._output[message.index] = message.value(status)
        return closing

    def _framed(self, happened: Iterable[Happening]) -> bytes:
        out = []
        for kind, fields in happened:
            out.append(framed({"type": kind, "sequence_number": self.number, **fields}, kind))
            self._next += 1
        return b"".join(out)


def _read(raw: bytes) -> _Step:
    try:
        return _step(payload_of(raw) or b"{}")
    except (ValueError, RecursionError):
        return _Step()


def _value(raw: msgspec.Raw) -> Json:
    try:
        return _object(raw)
    except (ValueError, RecursionError):
        return {}
