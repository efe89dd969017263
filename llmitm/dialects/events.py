"""One event of a stream, and what every stream reader keeps while it reads.

A reader takes the bytes of a stream as they arrive, in any chunking, and gives back whole events.
The bytes of its events, joined, are the bytes it was fed, so that a proxy can forward them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from io import StringIO

import msgspec

from llmitm.call import Usage

MAX_EVENT = 32 * 1024 * 1024
"""Bytes of one event; a longer one is handed on in pieces of this size, as malformed."""

MAX_TEXT = 1024 * 1024
"""Characters of output that a reader keeps; it counts on after that."""


class Event(msgspec.Struct, gc=False):
    """One event of a stream, as received and as understood.

    `raw` is exactly the bytes received, terminator included. `text` is the visible text it adds.
    `content` says that it carries model output of any kind (text, reasoning, tool call, audio,
    refusal), so that the first token has come. `finish` is the dialect's own reason, `done` its
    terminal mark. `usage` is cumulative. `usage_only` marks the extra chunk that `include_usage`
    asks for. `opaque` marks output that another model could not continue as plain text: tool
    calls, audio, refusals, logprobs, a second choice. `index` is the choice or content block.
    `comment` is an event that carries no data: a comment, a ping, a blank line.
    """

    raw: bytes
    text: str = ""
    content: bool = False
    finish: str | None = None
    usage: Usage | None = None
    done: bool = False
    error: str | None = None
    malformed: bool = False
    comment: bool = False
    tool: bool = False
    index: int = 0
    usage_only: bool = False
    opaque: bool = False


class StreamReader(ABC):
    """Reads one stream. Never raises, whatever the bytes.

    `complete`: the dialect's own end mark was seen, so the answer is whole. `finished`: its
    terminal mark was seen, so nothing more comes. `usage` is the latest that was reported.
    `error` is the first in-band error. `chars` counts all output, hidden reasoning and tool
    arguments included.

    `opened`: the event that the dialect begins a stream with was seen, where it has one.

    `complete=True` is for streams whose end mark is not known: they are never called truncated.
    """

    opened = True

    def __init__(self, *, complete: bool = False, limit: int = MAX_EVENT) -> None:
        self.complete = complete
        self.finished = False
        self.usage: Usage | None = None
        self.error: str | None = None
        self.tool_seen = False
        self.chars = 0
        self._limit = limit
        self._rest = bytearray()
        self._output = StringIO()

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes."""
        events: list[Event] = []
        rest = self._rest
        if rest:
            seen = max(0, len(rest) - 3)  # the longest terminator is four bytes
            rest += chunk
            if not self._boundary(rest, seen) and len(rest) <= self._limit:
                return events
            chunk = bytes(rest)
            rest.clear()
        start = self._split(chunk, events)
        if start < len(chunk):
            rest += chunk[start:]
        return events

    def end(self) -> list[Event]:
        """What was left at the end of the stream; malformed where it is not a whole event."""
        if not self._rest:
            return []
        raw = bytes(self._rest)
        self._rest.clear()
        return [self._last(raw)]

    @property
    def text(self) -> str:
        """The output so far for token estimates: text, reasoning and tool arguments.

        It stops growing once it has `MAX_TEXT` characters; see `chars`.
        """
        return self._output.getvalue()

    @abstractmethod
    def _boundary(self, data: bytes | bytearray, start: int) -> int:
        """Where the event that starts at `start` ends; 0 if that has not come yet."""

    @abstractmethod
    def _event(self, raw: bytes) -> Event:
        """The event that these bytes are, terminator included."""

    @abstractmethod
    def _last(self, raw: bytes) -> Event:
        """The event that a stream broke off in, or ended without a terminator."""

    @abstractmethod
    def _read(self, raw: bytes, payload: bytes) -> Event:
        """The event with this data. May raise ValueError where the data is not what it must be."""

    def _split(self, data: bytes, events: list[Event]) -> int:
        """Append the whole events in `data`; where the first unfinished one starts."""
        start = 0
        while True:
            end = self._boundary(data, start)
            if (end or len(data)) - start > self._limit:
                end = start + self._limit
                events.append(Event(data[start:end], malformed=True))
            elif end:
                events.append(self._event(data[start:end]))
            else:
                return start
            start = end

    def _keep(self, text: str) -> None:
        if self.chars < MAX_TEXT:
            self._output.write(text)
        self.chars += len(text)

    def _fail(self, raw: bytes, message: str) -> Event:
        self.error = self.error or message
        self.complete = False
        return Event(raw, error=message)
