"""The writer, against a database that does what a test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llmitm.stores import writer as module
from llmitm.stores.database import Row, Statement
from llmitm.stores.errors import LedgerError, Misconfigured, Rejected, Unavailable
from llmitm.stores.intake import Intake
from llmitm.stores.row import ContentRecord
from llmitm.stores.segment import Line
from llmitm.stores.spool import Spool
from llmitm.stores.tables import Table
from llmitm.stores.writer import Writer
from tests.stores.records import SECONDS, eventually, make


class Scripted:
    """A database that fails as often as told, and refuses the ids it is told to."""

    def __init__(self) -> None:
        self.faults: list[Exception] = []
        self.refused: set[str] = set()
        self.rows: list[tuple[str, str]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def connect(self) -> None:
        await self.gate.wait()
        if self.faults:
            raise self.faults.pop(0)

    async def insert(self, table: Table, rows: str) -> None:
        await self.connect()
        ids = [row[0] for row in msgspec.json.decode(rows)]
        if self.refused & set(ids):
            raise Rejected("no")
        self.rows += [(table.name, request_id) for request_id in ids]

    async def query(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        raise NotImplementedError

    async def change(self, *statements: Statement) -> list[int]:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


class Bench:
    """A writer with its three neighbours, running."""

    def __init__(self, directory: Path) -> None:
        self.intake = Intake(100_000)
        self.spool = Spool(directory, max_bytes=100_000)
        self.database = Scripted()
        self.writer = Writer(self.intake, self.spool, self.database)
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.task = asyncio.create_task(self.writer.run())

    def append(self, *request_ids: str) -> None:
        for request_id in request_ids:
            self.intake.append(make(request_id=request_id))

    def spool_holds(self, records: int) -> bool:
        return self.spool.records == records

    @property
    def arrived(self) -> list[str]:
        return [request_id for _, request_id in self.database.rows]


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(module, "_RETRY_FIRST", 0.001)
    monkeypatch.setattr(module, "_RETRY_MOST", 0.01)
    bench = Bench(tmp_path)
    yield bench
    if bench.task is not None:
        bench.task.cancel()
        await asyncio.wait([bench.task])
    bench.spool.close()


@pytest.mark.parametrize(
    "faults", [[], [Unavailable("down")] * 5, [Misconfigured("no such database")]]
)
async def test_tries_again(bench: Bench, faults: list[LedgerError]) -> None:
    """What the database does not take now it gets later, in order, and once."""
    bench.start()
    assert await bench.writer.flush(SECONDS)
    bench.database.faults = list(faults)
    bench.append(*"abc")
    assert await bench.writer.flush(SECONDS)
    bench.append("d")
    assert await bench.writer.flush(SECONDS)
    assert bench.arrived == list("abcd")
    assert (bench.writer.healthy, bench.writer.dropped) == (True, 0)


@pytest.mark.parametrize("fault", [None, Unavailable("down"), Misconfigured("no")])
async def test_opened(bench: Bench, fault: LedgerError | None) -> None:
    """The first contact with the database is reported once, as it went."""
    bench.database.faults = [fault] if fault else []
    bench.start()
    outcome = await asyncio.wait_for(asyncio.wrap_future(bench.writer.opened), SECONDS)
    assert outcome is fault


async def test_disk_does_not_wait_for_the_database(bench: Bench) -> None:
    """While the database takes its time, records go to disk."""
    bench.database.gate.clear()
    bench.start()
    for round_ in range(3):
        bench.append(f"r{round_}")
        await eventually(partial(bench.spool_holds, round_ + 1))
    assert not await bench.writer.flush(0)
    assert bench.arrived == []
    bench.database.gate.set()
    assert await bench.writer.flush(SECONDS)
    assert bench.arrived == ["r0", "r1", "r2"]


@pytest.mark.parametrize("refused", ["a", "d", "h", "ad", "abcdefgh", "bg"])
async def test_refused(bench: Bench, refused: str) -> None:
    """Each refused record is found and left out; the others arrive in order."""
    bench.database.refused = set(refused)
    bench.append(*"abcdefgh")
    bench.start()
    assert await bench.writer.flush(SECONDS)
    assert bench.arrived == [name for name in "abcdefgh" if name not in refused]
    assert bench.writer.dropped == len(refused)


async def test_spool_is_full(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """With the spool full the oldest records stay, the rest is counted, and it is said once."""
    bench.database.gate.clear()
    bench.start()
    names = [f"{number:04d}" for number in range(1000)]
    bench.append(*names)
    assert not await bench.writer.flush(0)
    kept = bench.spool.records
    assert 0 < kept < 1000
    assert bench.writer.dropped == 1000 - kept
    bench.append("more")
    assert not await bench.writer.flush(0)
    bench.database.gate.set()
    assert await bench.writer.flush(SECONDS)
    assert bench.arrived == names[:kept]
    assert sum("lost" in message for message in caplog.messages) == 1


async def test_content_leaves_room(bench: Bench) -> None:
    """Content that fills its half of the spool is dropped; calls still find room."""
    bench.database.gate.clear()
    bench.start()
    for number in range(10):
        bench.intake.append(ContentRecord(f"t{number}", 1.0, "x" * 10_000, None))
    bench.append("a")
    assert not await bench.writer.flush(0)
    bench.database.gate.set()
    assert await bench.writer.flush(SECONDS)
    tables = [table for table, _ in bench.database.rows]
    assert (tables.count("content"), tables.count("calls"), bench.writer.dropped) == (4, 1, 6)


async def test_a_bug_does_not_end_it(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    """An error that nobody foresaw is logged, and everything arrives all the same."""
    bench.start()
    bench.database.faults = [RuntimeError("a bug"), RuntimeError("another")]
    bench.append(*"abc")
    assert await bench.writer.flush(SECONDS)
    assert bench.arrived == list("abc")
    assert any("starts again" in message for message in caplog.messages)


async def test_a_newer_versions_records(bench: Bench) -> None:
    """Records of a kind that only a newer version knows are left out and counted."""
    bench.spool.append([Line("z", b"[]")])
    bench.append("a")
    bench.start()
    assert await bench.writer.flush(SECONDS)
    assert (bench.arrived, bench.writer.dropped) == (["a"], 1)


async def test_adopts_while_it_runs(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another process leaves behind arrives without a restart."""
    monkeypatch.setattr(module, "_ADOPT_EVERY", 0.01)
    bench.start()
    assert await bench.writer.flush(SECONDS)
    other = Bench(tmp_path)
    other.append("left")
    assert not await other.writer.flush(0)
    other.spool.close()
    await eventually(lambda: bench.arrived == ["left"])
