"""What is special about SQLite: its file, and other processes' locks."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmitm.stores import sqlite
from llmitm.stores.database import Statement
from llmitm.stores.errors import Unavailable
from llmitm.stores.sqlite import SqliteDatabase

CHANGE = Statement("INSERT INTO content (request_id, ts) VALUES ('a', 1.0)")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "folder" / "ledger ?#%.db"


@pytest.fixture
async def database(path: Path) -> SqliteDatabase:
    database = SqliteDatabase(path)
    await database.connect()
    return database


@pytest.fixture
def other(path: Path, database: SqliteDatabase) -> Iterator[sqlite3.Connection]:
    """Another process's connection."""
    connection = sqlite3.connect(path, autocommit=True)
    yield connection
    connection.close()


async def test_private(database: SqliteDatabase, path: Path) -> None:
    """Missing folders are made; only the owner reads the file and its companions."""
    await database.change(CHANGE)
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == dict.fromkeys([path.name, f"{path.name}-wal", f"{path.name}-shm"], 0o600)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    await database.close()


async def test_read_only(database: SqliteDatabase, path: Path) -> None:
    """What was opened to read can't write."""
    reader = SqliteDatabase(path, create=False)
    with pytest.raises(Unavailable, match="readonly"):
        await reader.change(CHANGE)
    assert await reader.query("SELECT count(*) FROM content") == [(0,)]
    await reader.close()
    await database.close()


async def test_locked(
    database: SqliteDatabase,
    path: Path,
    other: sqlite3.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While another process writes for too long, readers read on and writers are told."""
    monkeypatch.setattr(sqlite, "_BUSY", 0.05)
    await database.close()
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="locked"):
        await database.change(CHANGE)
    assert await database.query("SELECT count(*) FROM content") == [(0,)]
    other.execute("COMMIT")
    assert await database.change(CHANGE) == [1]
    await database.close()


async def test_keeps_its_locks(database: SqliteDatabase, path: Path) -> None:
    """Nothing is lost where this process opens the file again and another one closes it."""
    again = SqliteDatabase(path)
    await again.connect()
    visit = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
        "c.execute('SELECT 1 FROM calls').fetchall(); c.close()"
    )
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", visit, path], check=True)
    await database.change(CHANGE)
    later = sqlite3.connect(path, autocommit=True)
    assert later.execute("SELECT count(*) FROM content").fetchone() == (1,)
    later.close()
    await again.close()
    await database.close()


async def test_never_waits_for_readers(database: SqliteDatabase, other: sqlite3.Connection) -> None:
    """A long report holds up no writer, and sees nothing of what is written meanwhile."""
    other.execute("BEGIN")
    count = "SELECT count(*) FROM content"
    assert other.execute(count).fetchone() == (0,)
    await database.change(CHANGE)
    assert other.execute(count).fetchone() == (0,)
    other.execute("COMMIT")
    assert other.execute(count).fetchone() == (1,)
    await database.close()
