"""Newline-delimited JSON: bytes into lines, the framing of Ollama's streams."""

from __future__ import annotations

from llmitm.dialects.events import Event, StreamReader

_BOM = b"\xef\xbb\xbf"


class NdjsonReader(StreamReader):
    """Splits a stream at its LFs; a CR before one is white space to JSON."""

    def _boundary(self, data: bytes | bytearray, start: int) -> int:
        return data.find(b"\n", start) + 1

    def _event(self, raw: bytes) -> Event:
        try:
            return self._read(raw, raw.removeprefix(_BOM))
        except (ValueError, RecursionError):
            return Event(raw, malformed=True) if raw.strip() else Event(raw, comment=True)

    def _last(self, raw: bytes) -> Event:
        return self._event(raw)  # the last line needs no LF
