"""The spool: segments in order, bounded, and handed on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from llmitm.stores.segment import FileSegment, Line
from llmitm.stores.spool import Spool


def lines(numbers: Iterable[int]) -> list[Line]:
    """Lines of 21 bytes."""
    return [Line("c", b"%010d" % number) for number in numbers]


def drained(spool: Spool, limit: int = 7) -> list[int]:
    """The numbers of all lines, taken out a few at a time."""
    numbers = []
    while spool.records:
        batch = spool.peek(limit)
        numbers += [int(line.payload) for line in batch.lines]
        spool.advance(batch)
    return numbers


def test_many_segments(tmp_path: Path) -> None:
    """A long queue is in several files, in order; each goes away once it is emptied."""
    spool = Spool(tmp_path, segment_bytes=210)
    for start in range(0, 100, 5):
        assert spool.append(lines(range(start, start + 5))) == 0
    assert (spool.records, spool.size) == (100, 2100)
    assert len(list(tmp_path.iterdir())) == 10
    assert drained(spool) == list(range(100))
    assert len(list(tmp_path.iterdir())) == 1
    spool.append(lines([1]))
    assert drained(spool) == [1]
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_bound(tmp_path: Path) -> None:
    """When it is full the oldest lines stay and the newest are refused, until there is room."""
    spool = Spool(tmp_path, max_bytes=210)
    assert spool.append(lines(range(8))) == 0
    assert spool.append(lines(range(8, 12))) == 2
    assert spool.append(lines([12])) == 1
    spool.advance(spool.peek(4))
    assert spool.append(lines([13])) == 0
    assert drained(spool) == [4, 5, 6, 7, 8, 9, 13]
    spool.close()


def test_share(tmp_path: Path) -> None:
    """Who gets only a share of the room is refused while there is room for others."""
    spool = Spool(tmp_path, max_bytes=210)
    assert spool.append(lines(range(10)), share=0.5) == 5
    assert spool.append(lines(range(10, 20))) == 5
    spool.close()


def test_hands_on(tmp_path: Path) -> None:
    """What a process leaves, the next one finds, before its own and oldest first."""
    for start in (0, 10):
        spool = Spool(tmp_path, segment_bytes=100)
        spool.append(lines(range(start, start + 5)))
        spool.append(lines(range(start + 5, start + 10)))
        spool.close()
    heir = Spool(tmp_path)
    assert heir.records == 20
    heir.append(lines([20]))
    assert drained(heir) == list(range(21))
    heir.close()
    assert list(tmp_path.iterdir()) == []


def test_leaves_the_living_alone(tmp_path: Path) -> None:
    """Two processes share a directory; only what the other leaves is taken over, once."""
    first, second, third = (Spool(tmp_path) for _ in range(3))
    first.append(lines(range(3)))
    second.append(lines(range(3, 6)))
    assert second.adopt() == 0
    first.close()
    assert [spool.adopt() for spool in (second, third)] == [3, 0]
    assert drained(second) == list(range(6))
    second.close()
    third.close()


def test_useless_leftovers(tmp_path: Path) -> None:
    """An empty file and a torn one that others left hold up nothing."""
    (tmp_path / "1.spool").touch()
    (tmp_path / "2.spool").write_bytes(b"c0123")
    spool = Spool(tmp_path)
    assert (spool.records, spool.damaged) == (0, 1)
    spool.append(lines(range(3)))
    assert drained(spool) == [0, 1, 2]
    spool.close()


def test_disk_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Lines that can't be written wait in memory, within a bound, until the disk is back."""

    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    spool = Spool(tmp_path)
    spool.append(lines([0, 1]))
    with monkeypatch.context() as patch:
        patch.setattr(FileSegment, "append", fail)
        spool.append(lines([2, 3]))
        spool.append(lines([4]))
        patch.setattr("llmitm.stores.spool._MEMORY_BYTES", 60)
        assert spool.append(lines([5])) == 1
    assert len(caplog.records) == 1
    spool.append(lines([6]))
    assert spool.records == 6
    assert drained(spool) == [0, 1, 2, 3, 4, 6]
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_private(tmp_path: Path) -> None:
    """Only the owner reads what waits."""
    spool = Spool(tmp_path / "a" / "spool")
    modes = [path.stat().st_mode & 0o777 for path in (spool.directory, *spool.directory.iterdir())]
    assert modes == [0o700, 0o600]
    spool.close()
