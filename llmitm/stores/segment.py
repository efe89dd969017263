"""One piece of the spool: lines in order, in a file or, where the disk fails, in memory."""

from __future__ import annotations

import fcntl
import os
import time
import zlib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import NamedTuple, Protocol, Self

SUFFIX = ".spool"
_READ = 1 << 20  # bytes taken from the file at a time
_HEAD = 10  # kind, eight hex digits, blank
_serial = count()


class Line(NamedTuple):
    """One record: `kind` is a single letter, `payload` its JSON on one line."""

    kind: str
    payload: bytes

    @property
    def size(self) -> int:
        """Bytes of the line in a file."""
        return len(self.payload) + _HEAD + 1

    def framed(self) -> bytes:
        """The line with its checksum, as it stands in a file."""
        kind = self.kind.encode()
        return b"%s%08x %s\n" % (kind, _checksum(kind, self.payload), self.payload)


@dataclass(frozen=True, slots=True)
class Batch:
    """The oldest lines of a segment and how far they reach: `taken` lines, `size` bytes.

    `damaged` of the lines taken failed their checksum and are not among `lines`.
    """

    lines: list[Line]
    taken: int
    size: int
    damaged: int = 0


class Segment(Protocol):
    """A queue of lines. `records` and `size` (bytes) are what has not been advanced past."""

    @property
    def records(self) -> int: ...
    @property
    def size(self) -> int: ...

    def append(self, lines: Sequence[Line]) -> None: ...
    def peek(self, limit: int) -> Batch: ...
    def advance(self, batch: Batch) -> None: ...
    def close(self) -> None: ...


class FileSegment:
    """Lines in a file that its process holds a lock on: a free lock means that the owner died.

    What was appended survives the death of the process, not of the machine: it isn't synced.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._fd = descriptor
        self._head = 0
        self._tail, self._records, self.torn = _measure(descriptor)

    @property
    def records(self) -> int:
        return self._records

    @property
    def size(self) -> int:
        return self._tail - self._head

    @property
    def length(self) -> int:
        """Bytes in the file, those advanced past included."""
        return self._tail

    @classmethod
    def create(cls, directory: Path) -> Self:
        """A new empty segment. Raises OSError."""
        name = f"{time.time_ns():020}-{os.getpid()}-{next(_serial)}"
        hidden = directory / f".{name}"
        descriptor = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Only now may others see it: unlocked, they would take it for a dead process's.
        path = hidden.rename(directory / f"{name}{SUFFIX}")
        return cls(path, descriptor)

    @classmethod
    def adopt(cls, path: Path) -> Self | None:
        """The segment a dead process left; None where that is not for us to take.

        Its owner lives, another process was faster, or it is another user's.
        """
        try:
            descriptor = os.open(path, os.O_RDWR)
        except (FileNotFoundError, PermissionError):
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                return cls(path, descriptor)
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(descriptor)
        return None

    def append(self, lines: Iterable[Line]) -> None:
        """Write lines at the end: all of them, or none and OSError."""
        framed = [line.framed() for line in lines]
        data = memoryview(b"".join(framed))
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self._fd, data[written:], self._tail + written)
        except OSError:
            os.ftruncate(self._fd, self._tail)
            raise
        self._tail += len(data)
        self._records += len(framed)

    def peek(self, limit: int) -> Batch:
        """Up to `limit` of the oldest lines, about a megabyte at most."""
        rows = self._read().split(b"\n", limit)[:-1]
        lines = [line for row in rows if (line := _parse(row)) is not None]
        size = sum(map(len, rows)) + len(rows)
        return Batch(lines, len(rows), size, damaged=len(rows) - len(lines))

    def advance(self, batch: Batch) -> None:
        """Forget a batch. An emptied file gives its room back."""
        self._head += batch.size
        self._records -= batch.taken
        if self._head == self._tail:
            os.ftruncate(self._fd, 0)
            self._head = self._tail = 0

    def close(self) -> None:
        """Let go of the file; it goes away where nothing is left in it."""
        if self._head == self._tail:
            self.path.unlink(missing_ok=True)
        os.close(self._fd)

    def _read(self) -> bytes:
        size = min(_READ, self.size)
        data = os.pread(self._fd, size, self._head)
        while b"\n" not in data and len(data) < self.size:
            size = min(2 * size, self.size)
            data = os.pread(self._fd, size, self._head)
        return data


class MemorySegment:
    """Lines that could not be written to disk. They do not survive the process."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque()
        self.size = 0

    @property
    def records(self) -> int:
        return len(self._lines)

    def append(self, lines: Sequence[Line]) -> None:
        self._lines.extend(lines)
        self.size += sum(line.size for line in lines)

    def peek(self, limit: int) -> Batch:
        lines = [line for line, _ in zip(self._lines, range(limit), strict=False)]
        return Batch(lines, len(lines), sum(line.size for line in lines))

    def advance(self, batch: Batch) -> None:
        for _ in range(batch.taken):
            self._lines.popleft()
        self.size -= batch.size

    def close(self) -> None:
        self._lines.clear()


def _parse(row: bytes) -> Line | None:
    """The line of a file's row, or None where it is not what was written."""
    kind, payload = row[:1], row[_HEAD:]
    if row[1 : _HEAD - 1] != b"%08x" % _checksum(kind, payload):
        return None
    return Line(kind.decode(), payload)


def _checksum(kind: bytes, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(kind))


def _measure(descriptor: int) -> tuple[int, int, bool]:
    """Length up to the last newline, lines up to there, and whether something follows it."""
    length = os.fstat(descriptor).st_size
    end = lines = offset = 0
    while chunk := os.pread(descriptor, _READ, offset):
        newlines = chunk.count(b"\n")
        if newlines:
            lines += newlines
            end = offset + chunk.rindex(b"\n") + 1
        offset += len(chunk)
    return end, lines, end < length
