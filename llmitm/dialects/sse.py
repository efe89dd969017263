"""Server-sent events: bytes into events (WHATWG HTML, 9.2 "Server-sent events").

Line ends are LF, CRLF or CR. Streams of LLM APIs use LF and one data line, so that case is taken
without a regular expression.
"""

from __future__ import annotations

import re

from llmitm.dialects.events import Event, StreamReader

# Possessive, so that a CRLF is never taken for two line ends. A leading set is searched fast.
_BLANK_LINE = re.compile(rb"[\r\n](?:(?<=\r)\n)?+[\r\n](?:(?<=\r)\n)?+")
_BOM = b"\xef\xbb\xbf"
_CR = 13


def payload_of(raw: bytes) -> bytes | None:
    """The data of one event, its lines joined by LF; None where it has no data line."""
    lines = []
    for line in raw.removeprefix(_BOM).splitlines():
        name, _, value = line.partition(b":")
        if name == b"data":
            lines.append(value.removeprefix(b" "))
    return b"\n".join(lines) if lines else None


def frame(data: bytes, event: str | None = None) -> bytes:
    """One event around a JSON text."""
    if event is None:
        return b"data: " + data + b"\n\n"
    return b"event: " + event.encode() + b"\ndata: " + data + b"\n\n"


class SseReader(StreamReader):
    """Splits a stream at its blank lines. A dialect's reader says what the data means."""

    _cr = False

    def feed(self, chunk: bytes) -> list[Event]:
        if not self._cr and b"\r" in chunk:
            self._cr = True
        return super().feed(chunk)

    def _boundary(self, data: bytes | bytearray, start: int) -> int:
        if not self._cr:
            found = data.find(b"\n\n", start)
            return found + 2 if found >= 0 else 0
        match = _BLANK_LINE.search(data, start)
        if match is None or (match.end() == len(data) and data[-1] == _CR):
            return 0  # a CR that comes last may be the first half of a CRLF
        return match.end()

    def _event(self, raw: bytes) -> Event:
        return self._understand(raw, payload_of(raw) if self._cr else _one_line(raw))

    def _last(self, raw: bytes) -> Event:
        event = self._understand(raw, payload_of(raw))
        if event.comment and raw.strip():
            return Event(raw, malformed=True)
        return event

    def _understand(self, raw: bytes, payload: bytes | None) -> Event:
        if payload is None:
            return Event(raw, comment=True)
        try:
            return self._read(raw, payload)
        except (ValueError, RecursionError):
            if payload.lstrip().startswith(b"[DONE]"):
                self.finished = True
                return Event(raw, done=True)
            return Event(raw, malformed=True)


def _one_line(raw: bytes) -> bytes | None:
    """`payload_of` for an event that ends in LF LF, quick where its last line is its only data."""
    if raw.startswith(b"data:"):
        start = 5
    else:
        start = raw.find(b"\ndata:") + 6
        if start == 5:
            return payload_of(raw)
    return raw[start:-2] if raw.find(b"\n", start) == len(raw) - 2 else payload_of(raw)
