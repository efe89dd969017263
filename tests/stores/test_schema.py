"""Migrations: in order, each once, all or nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from llmitm.stores import schema
from llmitm.stores.database import open_database
from llmitm.stores.errors import Misconfigured, Unavailable
from llmitm.stores.schema import Step, check, missing, steps

THREE = (Step(1, "a"), Step(2, "b"), Step(3, "c"))


@pytest.mark.parametrize("backend", ["sqlite", "postgres"])
def test_numbers(backend: str) -> None:
    """Versions count from 1 without a gap, and both databases have the same ones."""
    versions = [step.version for step in steps(backend)]
    assert versions == list(range(1, len(versions) + 1))
    assert versions == [step.version for step in steps("sqlite")]


@pytest.mark.parametrize(("current", "lacks"), [(0, [1, 2, 3]), (1, [2, 3]), (3, [])])
def test_missing(current: int, lacks: list[int]) -> None:
    """Only the steps after a database's version are missing."""
    assert [step.version for step in missing(THREE, current)] == lacks


@pytest.mark.parametrize("current", [0, 2, 4])
def test_check(current: int) -> None:
    """A database of any other version can't be read as it is; the message says what to do."""
    check(THREE, 3)
    with pytest.raises(Misconfigured, match=rf"version {current}.*(start the gateway|upgrade)"):
        check(THREE, current)


def tables(path: Path) -> set[str]:
    """The tables of a SQLite file."""
    connection = sqlite3.connect(path)
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    return names


async def test_next_version(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new version adds its step to an existing ledger; one that fails changes nothing at all."""
    database = open_database(sqlite_url)
    await database.connect()
    await database.close()
    known, path = steps("sqlite"), tmp_path / "data" / "ledger.db"
    before = tables(path)
    good = Step(2, "CREATE TABLE more (x)")
    broken = Step(3, "CREATE TABLE most (x); CREATE TABLE calls (x)")
    monkeypatch.setattr(schema, "steps", lambda backend: (*known, good, broken))
    with pytest.raises(Unavailable, match="calls already exists"):
        await database.connect()
    assert tables(path) == before
    monkeypatch.setattr(schema, "steps", lambda backend: (*known, good))
    assert await database.query(schema.READ_VERSION) == [(2,)]
    assert tables(path) == before | {"more"}
    await database.close()
