"""One way to talk to both databases."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from llmitm.stores.database import Database, Statement, open_database, sqlite_path
from llmitm.stores.errors import Misconfigured, Rejected
from llmitm.stores.tables import CONTENT

ROW = "INSERT INTO content (request_id, ts) VALUES (?, ?)"
COUNT = "SELECT count(*) FROM content"


async def test_change(database: Database) -> None:
    """Statements of a change happen together, and say how many rows each one touched."""
    counts = await database.change(
        Statement(ROW, ("a", 1.0)),
        Statement(ROW, ("b", 2.0)),
        Statement("UPDATE content SET request = ? WHERE ts > ?", ("x", 0.0)),
        Statement("DELETE FROM content WHERE ts > ?", (9.0,)),
    )
    assert counts == [1, 1, 2, 0]
    with pytest.raises(Rejected):
        await database.change(Statement("DELETE FROM content"), *[Statement(ROW, ("c", 1.0))] * 2)
    assert await database.query(COUNT) == [(2,)]


async def test_insert_leaves_what_is_there(database: Database) -> None:
    """Inserting a record again changes nothing."""
    await database.insert(CONTENT, '[["a", 1.5, "first", null], ["a", 1.5, "second", null]]')
    await database.insert(CONTENT, '[["a", 1.5, "third", null], ["b", 1.5, null, null]]')
    rows = await database.query("SELECT request_id, request FROM content ORDER BY request_id")
    assert rows == [("a", "first"), ("b", None)]


async def test_used_by_many_tasks(database: Database) -> None:
    """Any number of tasks may use one database at once."""
    await asyncio.gather(
        *(database.change(Statement(ROW, (str(n), 1.0))) for n in range(20)),
        *(database.query(COUNT) for _ in range(20)),
    )
    assert await database.query(COUNT) == [(20,)]


async def test_used_again_after_close(database: Database) -> None:
    """A closed database connects again when it is used."""
    await database.change(Statement(ROW, ("a", 1.0)))
    await database.close()
    assert await database.query(COUNT) == [(1,)]


async def test_many_start_at_once(url: str) -> None:
    """Several workers that meet an empty database migrate it once."""
    databases = [open_database(url) for _ in range(6)]
    await asyncio.gather(*(database.connect() for database in databases))
    versions = await databases[0].query("SELECT version FROM schema_version")
    assert versions == [(1,)]
    for database in databases:
        await database.close()


@pytest.mark.parametrize("url", ["mysql://x/y", "ledger.db", "sqlite:///", "sqlite://x", ""])
def test_no_ledger(url: str) -> None:
    """Any other URL is refused, with what to write instead."""
    with pytest.raises(Misconfigured, match="sqlite:///path"):
        open_database(url)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///data/l.db", Path("data/l.db")),
        ("sqlite:////var/l.db", Path("/var/l.db")),
        ("sqlite:///:memory:", None),
    ],
)
def test_sqlite_path(url: str, path: Path | None) -> None:
    """Three slashes and a path, which may be relative."""
    assert sqlite_path(url) == path


def test_no_password_in_an_error() -> None:
    """What a URL holds stays out of the message."""
    with pytest.raises(Misconfigured) as caught:
        open_database("mysql://ava:hunter2@db/x")
    assert "hunter2" not in str(caught.value)
