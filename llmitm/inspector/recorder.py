"""Keeps the first bytes of a body as it passes, and when each part of it came."""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterable

MAX_MARKS = 1000  # chunks whose time is kept; a mark is 8 bytes


class Recorder:
    """Sees the chunks of one body. Never raises and never waits.

    `size` is all of it in bytes, `kept` what is held, at most `cap`.
    """

    __slots__ = ("_parts", "cap", "head", "kept", "marks", "size", "started", "status")

    def __init__(self, cap: int, started: float) -> None:
        self.cap = cap
        self.started = started
        self.size = 0
        self.kept = 0
        self.status: int | None = None
        self.head: tuple[tuple[bytes, bytes], ...] = ()
        self.marks = array("I")  # offset in bytes, milliseconds since the start, and so on
        self._parts: list[bytes] = []

    def begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """The head of an answer came."""
        self.status, self.head = status, tuple(headers)

    def data(self, chunk: bytes) -> None:
        """The next bytes of the body came."""
        if len(self.marks) < 2 * MAX_MARKS and self.size < self.cap:
            self.marks.append(self.size)
            self.marks.append(max(0, int((time.monotonic() - self.started) * 1000)))
        self.size += len(chunk)
        room = self.cap - self.kept
        if room > 0:
            part = chunk[:room]
            self._parts.append(part)
            self.kept += len(part)

    @property
    def body(self) -> bytes:
        """What is held, as one."""
        if len(self._parts) > 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0] if self._parts else b""

    @property
    def timing(self) -> str:
        """`offset@milliseconds` of each chunk, separated by blanks."""
        pairs = zip(self.marks[::2], self.marks[1::2], strict=True)
        return " ".join(f"{offset}@{ms}" for offset, ms in pairs)


def parse_timing(text: str) -> list[tuple[int, int]]:
    """The (offset, milliseconds) pairs that `timing` wrote. Raises ValueError for other text."""
    marks = []
    for pair in text.split():
        offset, _, ms = pair.partition("@")
        marks.append((int(offset), int(ms)))
    return marks
