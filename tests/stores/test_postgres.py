"""What is special about PostgreSQL: connections that end, and time limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from llmitm.stores import postgres as module
from llmitm.stores.database import Statement
from llmitm.stores.errors import Unavailable
from llmitm.stores.postgres import PostgresDatabase
from llmitm.stores.row import encode_call
from llmitm.stores.tables import CALLS
from tests.stores.postgres_server import PostgresServer
from tests.stores.records import eventually, make

SLEEP = "SELECT pg_sleep(?::float8)::text"
END_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'llmitm' AND pid <> pg_backend_pid()
"""


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[PostgresDatabase]:
    database = PostgresDatabase(postgres_url)
    await database.connect()
    yield database
    await database.close()


async def test_connects_again(database: PostgresDatabase, postgres: PostgresServer) -> None:
    """A connection that the server ended costs one error, and is made again."""
    postgres.sql(END_OTHERS)
    with pytest.raises(Unavailable):
        await database.query("SELECT 1")
    assert await database.query("SELECT 1") == [(1,)]


async def test_too_slow(database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that takes too long is given up, and its connection with it."""
    with monkeypatch.context() as patch:
        patch.setattr(module, "_COMMAND_TIMEOUT", 1.0)
        await database.close()
        with pytest.raises(Unavailable, match="TimeoutError"):
            await database.query(SLEEP, (60.0,))
    assert await database.query("SELECT 1") == [(1,)]


async def test_cancelled(database: PostgresDatabase) -> None:
    """After a cancelled task the next one does not get its answer."""
    task = asyncio.create_task(database.query(SLEEP, (60.0,)))
    await eventually(database._lock.locked)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await database.query("SELECT 2") == [(2,)]


async def test_two_writers(database: PostgresDatabase, postgres_url: str) -> None:
    """Two writers with calls of the same groups, in opposite order, don't block each other."""

    def rows(names: str) -> str:
        return f"[{','.join(encode_call(make(key=name)).decode() for name in names)}]"

    other = PostgresDatabase(postgres_url)
    names = "abcdefghijklmnop"
    await asyncio.gather(
        *(database.insert(CALLS, rows(names)) for _ in range(20)),
        *(other.insert(CALLS, rows(names[::-1])) for _ in range(20)),
    )
    await other.close()
    totals = "SELECT count(*), sum(calls)::int FROM usage_totals WHERE span = 3600"
    assert await database.query(totals) == [(16, 640)]


def test_parameters() -> None:
    """Question marks become numbers, in order."""
    assert module._numbered("a ? b ? c") == "a $1 b $2 c"
    assert module._numbered("a") == "a"


async def test_change_counts(database: PostgresDatabase) -> None:
    """A statement that touches no rows by nature counts none."""
    assert await database.change(Statement("SELECT 1 WHERE false")) == [0]
