"""Server-sent events as the JSON payloads that a translation works on, and back."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from llmitm.dialects.carry import Json, encode
from llmitm.dialects.events import Event
from llmitm.dialects.sse import SseReader, frame

DONE: Final[Json] = {}
"""What `Payloads` gives for OpenAI's ``data: [DONE]``; told by identity."""

_object = msgspec.json.Decoder(dict[str, Any]).decode


class Payloads(SseReader):
    """The JSON objects of an event stream. An event that is none is dropped, never fatal."""

    def __init__(self) -> None:
        super().__init__()
        self._found: list[Json] = []

    def of(self, chunk: bytes) -> list[Json]:
        """The payloads that `chunk` completes."""
        return self._take(self.feed(chunk))

    def rest(self) -> list[Json]:
        """The payload of a last event whose blank line is missing, as some servers leave it."""
        return self._take(self.end())

    def _take(self, events: list[Event]) -> list[Json]:
        found, self._found = self._found, []
        if any(event.done for event in events):
            found.append(DONE)
        return found

    def _read(self, raw: bytes, payload: bytes) -> Event:
        value = _object(payload)
        if not self.finished:
            self._found.append(value)
        return Event(raw)


def event(payload: Json, name: str | None = None) -> bytes:
    """One server-sent event, with an event name where the dialect has them."""
    return frame(encode(payload), name)
