"""A stream of chat chunks as bare text, or as server-sent events for a client that takes them."""

from __future__ import annotations

from collections.abc import Callable

from mitmproxy import http

from llmitm import dialects
from llmitm.dialects.carry import encode
from llmitm.dialects.events import Event
from llmitm.dialects.sse import frame
from llmitm.seeds.endpoint import Json

TEXT = "text/plain; charset=utf-8"
EVENTS = "text/event-stream"
DONE = frame(b"[DONE]")


def wants_events(headers: http.Headers) -> bool:
    return EVENTS in headers.get("accept", "").lower()


class TextStream:
    """What a client gets of an OpenAI stream. A `mitmproxy` stream callable: never raises.

    Bare text has no word for a failure: nothing is said, and the connection is broken off.
    `fault` makes an error's JSON of its message.
    """

    def __init__(self, events: bool, fault: Callable[[str], Json]) -> None:
        self.media_type = EVENTS if events else TEXT
        self._say = self._event if events else self._text
        self._fault = fault
        self._reader = dialects.reader_for("openai", "chat")
        self._end = DONE if events else b""

    def __call__(self, chunk: bytes) -> bytes:
        events = self._reader.feed(chunk) if chunk else self._reader.end()
        said = b"".join(map(self._say, events))
        # An empty chunk is the end of a stream that is whole, whether its end mark came or not.
        return said if chunk else said + self._end

    def whole(self, text: str) -> bytes:
        """The whole stream of a text that came at once."""
        return self._say(Event(b"", text=text)) + self._end

    def _text(self, event: Event) -> bytes:
        return event.text.encode("utf-8", "replace")

    def _event(self, event: Event) -> bytes:
        if event.error is not None:
            return frame(encode(self._fault(event.error)), "error")
        return frame(encode({"response": event.text})) if event.text else b""
