"""Where log lines go: a thread of their own writes them, so that who reads them can't stop a call."""

from __future__ import annotations

import os
import queue
import select
import threading
from collections.abc import Callable
from contextlib import suppress

# Writes to a pipe up to this size are never mixed with those of other processes (POSIX PIPE_BUF).
BATCH_BYTES = 4096
WAITING_LINES = 10_000
STDERR = 2


class LineSink:
    """Writes whole lines to a file descriptor, in order. Its methods never raise.

    Where the reader is so slow that `waiting` lines are there already, further ones are dropped;
    `dropped` makes the line that says so later, from their number. Where the reader is gone, all
    are.
    """

    def __init__(
        self, fd: int, dropped: Callable[[int], bytes], waiting: int = WAITING_LINES
    ) -> None:
        self._fd = fd
        self._lines: queue.SimpleQueue[bytes | threading.Event] = queue.SimpleQueue()
        self._waiting = waiting
        self._tell_dropped = dropped
        self._dropped = 0
        self._gone = False
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def write(self, line: bytes) -> None:
        """Hand a line over, with its line break. Takes about a microsecond, never waits."""
        if self._lines.qsize() >= self._waiting:
            self._dropped += 1
            return
        self._lines.put(line)
        if self._thread is None:
            self._start()

    def flush(self, timeout: float) -> bool:
        """Wait until every line so far is written; False where that took `timeout` seconds."""
        if self._thread is None:
            return True
        written = threading.Event()
        self._lines.put(written)
        return written.wait(timeout)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            batch, event = self._batch()
            self._write(batch)
            if self._dropped and self._lines.empty():
                number, self._dropped = self._dropped, 0
                self._write(self._tell_dropped(number))
            if event is not None:
                event.set()

    def _batch(self) -> tuple[bytes, threading.Event | None]:
        """The next lines that fit into one write, and who waits for them."""
        parts: list[bytes] = []
        size = 0
        while True:
            item = self._kept if self._kept is not None else self._next(wait=not parts)
            self._kept = None
            if not isinstance(item, bytes):
                return b"".join(parts), item
            if parts and size + len(item) > BATCH_BYTES:
                self._kept = item
                return b"".join(parts), None
            parts.append(item)
            size += len(item)

    _kept: bytes | None = None  # the first line of the next batch

    def _next(self, *, wait: bool) -> bytes | threading.Event | None:
        try:
            return self._lines.get(block=wait)
        except queue.Empty:
            return None

    def _write(self, data: bytes) -> None:
        while data and not self._gone:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:  # somebody made the pipe non-blocking: a shell, another process
                select.select((), (self._fd,), ())
            except OSError as fault:
                self._gone = True
                with suppress(OSError):
                    os.write(STDERR, f"llmitm: the log can't be written: {fault}\n".encode())
