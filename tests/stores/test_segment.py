"""Segments: lines in a file, or in memory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.stores.segment import FileSegment, Line, MemorySegment, Segment

LINES = [Line("c", b"[%d]" % number) for number in range(10)]
payloads = st.binary(max_size=50).filter(lambda data: b"\n" not in data)


@pytest.fixture(params=["file", "memory"])
def segment(request: pytest.FixtureRequest, tmp_path: Path) -> Segment:
    kinds: dict[str, Callable[[], Segment]] = {
        "file": lambda: FileSegment.create(tmp_path),
        "memory": MemorySegment,
    }
    return kinds[request.param]()


def drained(segment: Segment, limit: int = 3) -> list[Line]:
    """All lines, taken out a few at a time."""
    lines = []
    while segment.records:
        batch = segment.peek(limit)
        assert 0 < batch.taken <= limit
        lines += batch.lines
        segment.advance(batch)
    return lines


@pytest.mark.parametrize("limit", [1, 3, 9, 10, 11])
def test_first_in_first_out(segment: Segment, limit: int) -> None:
    """Lines come out in order, and again until advanced past."""
    segment.append(LINES)
    assert segment.peek(limit) == segment.peek(limit)
    assert (segment.records, segment.size) == (10, 140)
    assert drained(segment, limit) == LINES
    assert (segment.records, segment.size) == (0, 0)
    segment.close()


def test_empty(segment: Segment) -> None:
    """Nothing comes of nothing."""
    assert segment.peek(5).taken == 0
    segment.append([])
    assert segment.peek(5).lines == []
    segment.close()


@given(st.lists(st.tuples(st.sampled_from("ct"), payloads), max_size=20), st.data())
def test_interleaved(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, bytes]], data: st.DataObject
) -> None:
    """Appending and taking in any order never loses, repeats or changes a line."""
    segment = FileSegment.create(tmp_path_factory.mktemp("segment"))
    lines = [Line(*pair) for pair in pairs]
    out: list[Line] = []
    for line in lines:
        segment.append([line])
        if data.draw(st.booleans()):
            batch = segment.peek(2)
            out += batch.lines
            segment.advance(batch)
    assert out + drained(segment) == lines
    segment.close()


def test_gives_room_back(tmp_path: Path) -> None:
    """A file that is emptied shrinks, and goes away when closed; one with lines stays."""
    segment = FileSegment.create(tmp_path)
    segment.append(LINES)
    drained(segment)
    assert segment.path.stat().st_size == segment.length == 0
    segment.close()
    assert list(tmp_path.iterdir()) == []
    second = FileSegment.create(tmp_path)
    second.append(LINES)
    second.close()
    assert list(tmp_path.iterdir()) == [second.path]


def test_longer_than_a_read(tmp_path: Path) -> None:
    """A line of several megabytes is read whole."""
    segment = FileSegment.create(tmp_path)
    lines = [Line("t", b"x" * (3 << 20)), *LINES]
    segment.append(lines)
    assert drained(segment) == lines
    segment.close()


@pytest.mark.parametrize(
    ("cut", "left", "torn"), [(0, 10, False), (1, 9, True), (13, 9, True), (14, 9, False)]
)
def test_torn_tail(tmp_path: Path, cut: int, left: int, torn: bool) -> None:
    """What a dying process wrote in part is left out, the rest is there."""
    segment = FileSegment.create(tmp_path)
    segment.append(LINES)
    segment.close()
    os.truncate(segment.path, segment.length - cut)
    adopted = FileSegment.adopt(segment.path)
    assert adopted is not None
    assert adopted.torn == torn
    assert drained(adopted) == LINES[:left]
    adopted.close()


@pytest.mark.parametrize("at", [0, 3, 11])
def test_damaged_line(tmp_path: Path, at: int) -> None:
    """A line that is not what was written is counted and left out."""
    segment = FileSegment.create(tmp_path)
    segment.append(LINES)
    data = bytearray(segment.path.read_bytes())
    data[5 * 14 + at] ^= 1
    segment.path.write_bytes(data)
    batch = segment.peek(10)
    assert (batch.taken, batch.damaged) == (10, 1)
    assert batch.lines == LINES[:5] + LINES[6:]
    segment.close()


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not all lines fit, none is written, and the file is as before."""
    segment = FileSegment.create(tmp_path)
    segment.append(LINES[:2])
    writes = iter([20])

    def pwrite(descriptor: int, data: bytes, offset: int) -> int:
        for size in writes:
            return real(descriptor, data[:size], offset)
        raise OSError(28, "No space left on device")

    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", pwrite)
    with pytest.raises(OSError, match="No space left"):
        segment.append(LINES[2:])
    monkeypatch.undo()
    segment.append(LINES[5:])
    assert drained(segment) == LINES[:2] + LINES[5:]
    segment.close()


def test_adoption(tmp_path: Path) -> None:
    """A segment is adopted once, after its owner let go of it, and not when it is gone."""
    owner = FileSegment.create(tmp_path)
    owner.append(LINES)
    assert FileSegment.adopt(owner.path) is None
    owner.close()
    adopted = FileSegment.adopt(owner.path)
    assert adopted is not None
    assert FileSegment.adopt(owner.path) is None
    drained(adopted)
    adopted.close()
    assert FileSegment.adopt(owner.path) is None


def test_owner_is_killed(tmp_path: Path) -> None:
    """The death of its process lets go of a segment, and what was appended is there."""
    script = f"""if True:
        import os, signal
        from pathlib import Path
        from llmitm.stores.segment import FileSegment, Line
        segment = FileSegment.create(Path({str(tmp_path)!r}))
        segment.append([Line("c", b"1"), Line("c", b"2")])
        os.kill(os.getpid(), signal.SIGKILL)
    """
    subprocess.run([sys.executable, "-c", script], check=False)
    [path] = tmp_path.iterdir()
    adopted = FileSegment.adopt(path)
    assert adopted is not None
    assert drained(adopted) == [Line("c", b"1"), Line("c", b"2")]
    adopted.close()
