"""Log lines on their way out: whole, in order, and never in anybody's way."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from llmitm.log_sink import BATCH_BYTES, LineSink

SECONDS = 60


class Pipe:
    """A sink into a pipe; `writer` is None once the sink has been closed with its end."""

    def __init__(self) -> None:
        self.reader, writer = os.pipe()
        self.writer: int | None = writer
        self.sink = LineSink(writer, told, waiting=50)

    def read(self) -> bytes:
        """Everything that is or will be written, once the writing end is closed."""
        with open(self.reader, "rb", closefd=False) as file:
            return file.read()

    def close(self) -> None:
        """Close the writing end when everything is written."""
        assert self.sink.flush(SECONDS)
        self.end()

    def end(self) -> None:
        if self.writer is not None:
            os.close(self.writer)
            self.writer = None


def told(number: int) -> bytes:
    return b"%d dropped\n" % number


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.end()
    os.close(pipe.reader)


def fill(pipe: Pipe) -> int:
    """Write into the pipe until it is full; how many bytes that took."""
    writer = pipe.writer
    assert writer is not None
    os.set_blocking(writer, False)
    size = 0
    with suppress(BlockingIOError):
        while True:
            size += os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    return size


def read_while_closing(pipe: Pipe) -> bytes:
    """Everything in the pipe, whose sink goes on writing as room comes."""
    closing = threading.Thread(target=pipe.close)
    closing.start()
    everything = pipe.read()
    closing.join(SECONDS)
    return everything


def test_order(pipe: Pipe) -> None:
    """Lines arrive whole and in the order they were written."""
    lines = [b"%d %s\n" % (n, b"x" * (n % 7 * 1000)) for n in range(40)]
    for line in lines:
        pipe.sink.write(line)
    reader: list[bytes] = []
    thread = threading.Thread(target=lambda: reader.append(pipe.read()))
    thread.start()
    pipe.close()
    thread.join(SECONDS)
    assert reader == [b"".join(lines)]


def test_a_reader_who_stalls(pipe: Pipe) -> None:
    """Nobody waits for a full pipe: further lines are dropped, and later counted in a line."""
    filled = fill(pipe)
    for n in range(500):
        pipe.sink.write(b"%d\n" % n)
    assert not pipe.sink.flush(0.01)
    lines = read_while_closing(pipe)[filled:].decode().splitlines()
    *kept, last = lines
    assert kept == [str(n) for n in range(len(kept))]
    assert 50 <= len(kept) <= 100
    assert last == f"{500 - len(kept)} dropped"


def test_a_pipe_that_was_made_non_blocking(pipe: Pipe) -> None:
    """Waits for room like any other, as where a shell shares its terminal."""
    filled = fill(pipe)
    assert pipe.writer is not None
    os.set_blocking(pipe.writer, False)
    pipe.sink.write(b"late\n")
    assert read_while_closing(pipe)[filled:] == b"late\n"


def test_a_reader_who_left(capfd: pytest.CaptureFixture[str]) -> None:
    """A broken pipe is told once, on stderr; lines are taken and forgotten."""
    reader, writer = os.pipe()
    os.close(reader)
    sink = LineSink(writer, told)
    for _ in range(3):
        sink.write(b"line\n")
        assert sink.flush(SECONDS)
    os.close(writer)
    assert capfd.readouterr().err.count("the log can't be written") == 1


def test_no_file_at_all() -> None:
    """Without room for any line nothing is written, and no thread begun."""
    sink = LineSink(-1, told, waiting=0)
    sink.write(b"line\n")
    assert sink.flush(0)


def test_after_the_end(pipe: Pipe) -> None:
    """A line after the end begins anew."""
    pipe.sink.write(b"one\n")
    pipe.sink.close()
    pipe.sink.write(b"two\n")
    pipe.close()
    assert pipe.read() == b"one\ntwo\n"


def test_writes_are_atomic(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written at once is no more than a pipe takes without mixing it with others'."""
    sizes: list[int] = []
    write = os.write

    def note(fd: int, data: bytes) -> int:
        if fd == pipe.writer:
            sizes.append(len(data))
        return write(fd, data)

    monkeypatch.setattr("llmitm.log_sink.os.write", note)
    for _ in range(40):
        pipe.sink.write(b"x" * 999 + b"\n")
    pipe.close()
    assert sum(sizes) == 40_000
    assert max(sizes) <= BATCH_BYTES
