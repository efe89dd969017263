"""Writing the events that continue or close a response which another provider began."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from llmitm.call import Usage
from llmitm.dialects import usage as counts
from llmitm.dialects.carry import Json, sub, text
from llmitm.dialects.events import Event
from llmitm.dialects.frames import event as framed
from llmitm.dialects.response_object import ended
from llmitm.dialects.responses_to_chat_items import Happening, Message
from llmitm.dialects.sse import payload_of
from llmitm.dialects.writers import Writer

_decode = msgspec.json.Decoder(dict).decode


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
            given = _object(self._last).get("sequence_number")
            self._next = given + 1 if isinstance(given, int) else self._next
            self._last = b""
        return self._next

    def learn(self, event: Event) -> None:
        if event.comment:
            return
        self._last = event.raw
        if event.text and self._message is not None:
            self._heard(self._message.say("output_text", event.text, []))
        elif not event.content:
            part = _object(event.raw)
            self._step(text(part, "type"), part)

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
        response = ended(self._response, output, cut_short, counted)
        return closing + self._framed([(f"response.{response['status']}", {"response": response})])

    def _step(self, kind: str, part: Json) -> None:
        """An event that adds no text: an item or a part begins or ends."""
        item, at = sub(part, "item"), part.get("output_index")
        match kind:
            case "response.created" | "response.in_progress":
                self._response = sub(part, "response")
            case "response.output_item.added" if isinstance(at, int):
                self._between = item.get("type") != "message"
                self._message = None if self._between else Message(at, text(item, "id"))
            case "response.content_part.added" if self._message is not None:
                self._between = self._between or sub(part, "part").get("type") != "output_text"
                self._heard(self._message.say("output_text", "", []))
            case "response.output_item.done" if isinstance(at, int):
                self._output[at], self._message, self._between = item, None, False
            case _ if kind.startswith("response.output_text."):
                self._between = True

    def _closed(self, status: str) -> bytes:
        message, self._message = self._message, None
        if message is None:
            return b""
        closing = self._framed(message.end(status))
        self._output[message.index] = message.value(status)
        return closing

    def _heard(self, happened: Iterable[Happening]) -> None:
        """Keep what the client has been told already."""
        for _ in happened:
            pass

    def _framed(self, happened: Iterable[Happening]) -> bytes:
        out = []
        for kind, fields in happened:
            out.append(framed({"type": kind, "sequence_number": self.number, **fields}, kind))
            self._next += 1
        return b"".join(out)


def _object(raw: bytes) -> Json:
    try:
        payload = payload_of(raw)
        return _decode(payload) if payload else {}
    except (ValueError, RecursionError):
        return {}
