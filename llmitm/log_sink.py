"""Where log lines go: a thread writes them, so that a reader who stalls can't stop a call."""

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

# A line; someone who waits for those before it; or None, which ends the thread.
Item = bytes | threading.Event | None


class LineSink:
    """Writes whole lines to a file descriptor, in order. Its methods never raise.

    Where the reader is so slow that `waiting` lines are there already, further ones are dropped;
    `dropped` makes the line that says so later, from their number. Where the reader is gone, all
    are.
    """

    def __init__(
        self, fd: int, dropped: Callable[[int], bytes], waiting: int = WAITING_LINES
    ) -> None:
        self.fd = fd
        self._lines: queue.SimpleQueue[Item] = queue.SimpleQueue()
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

    def close(self) -> None:
        """Have the thread end after what is left. A later line starts another."""
        if self._thread is not None:
            self._lines.put(None)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            item = self._write_lines()
            if self._dropped and self._lines.empty():
                number, self._dropped = self._dropped, 0
                self._write(self._tell_dropped(number))
            if isinstance(item, threading.Event):
                item.set()
            elif item is None:
                self._thread = None
                if not self._lines.empty():  # a line that came meanwhile
                    self._start()
                return

    def _write_lines(self) -> Item:
        """Write the lines that are there, as many at a time as fit, up to what is no line.

        Returns that, or the last line where no more are there.
        """
        batch = item = self._lines.get()
        if not isinstance(batch, bytes):
            return item
        while not self._lines.empty():
            item = self._lines.get()
            if not isinstance(item, bytes):
                break
            if len(batch) + len(item) > BATCH_BYTES:
                self._write(batch)
                batch = b""
            batch += item
        self._write(batch)
        return item

    def _write(self, data: bytes) -> None:
        while data and not self._gone:
            try:
                data = data[os.write(self.fd, data) :]
            except BlockingIOError:  # somebody made the pipe non-blocking: a shell, another process
                select.select((), (self.fd,), ())
            except OSError as fault:
                self._gone = True
                with suppress(OSError):
                    os.write(STDERR, f"llmitm: the log can't be written: {fault}\n".encode())
