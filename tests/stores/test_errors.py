"""A database's faults are sorted by what helps: waiting, somebody's change, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmitm.stores.database import Database, Statement, open_database
from llmitm.stores.errors import LedgerError, Misconfigured, Rejected, Unavailable
from llmitm.stores.tables import CONTENT
from tests.stores.postgres_server import PostgresServer

NEWER = Statement("INSERT INTO schema_version VALUES (9999)")


async def test_refused_rows(database: Database) -> None:
    """Rows that break a rule of the schema are rejected, as a whole, and the rest goes on."""
    with pytest.raises(Rejected):
        await database.insert(CONTENT, '[["a", 1.5, null, null], ["b", null, null, null]]')
    assert await database.query("SELECT * FROM content") == []
    await database.insert(CONTENT, '[["a", 1.5, null, null]]')


@pytest.mark.parametrize("create", [True, False])
async def test_newer_schema(database: Database, url: str, create: bool) -> None:
    """A database that a newer version migrated is refused, by writers and by readers."""
    await database.change(NEWER)
    other = open_database(url, create=create)
    with pytest.raises(Misconfigured, match=r"version 9999.*upgrade llmitm"):
        await other.connect()
    await other.close()


async def test_reader_before_the_gateway(postgres_url: str, sqlite_url: str) -> None:
    """Whoever only reads makes no database and no tables, and says what does."""
    for url, words in [(postgres_url, "start the gateway"), (sqlite_url, "the gateway makes it")]:
        database = open_database(url, create=False)
        with pytest.raises(Misconfigured, match=words):
            await database.query("SELECT 1")
        await database.close()


FAULTS: dict[str, tuple[str, type[LedgerError]]] = {
    "no server": ("postgresql://x@/db?host={tmp}", Unavailable),
    "nobody listens": ("postgresql://x@127.0.0.1:1/db", Unavailable),
    "no database": ("{server}_unknown", Misconfigured),
    "no file but a directory": ("sqlite:///{tmp}", Unavailable),
    "no directory but a file": ("sqlite:///{tmp}/file/ledger.db", Unavailable),
    "no SQLite file": ("sqlite:///{tmp}/file", Unavailable),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_cannot_connect(fault: str, postgres: PostgresServer, tmp_path: Path) -> None:
    """What may heal by itself is unavailable; a database that isn't there is misconfigured."""
    url, kind = FAULTS[fault]
    (tmp_path / "file").write_text("a text that is long enough to be read as a header " * 9)
    start, _, query = postgres.url().partition("?")
    named = url.replace("{server}_unknown", f"{start}_unknown?{query}")
    database = open_database(named.replace("{tmp}", str(tmp_path)))
    with pytest.raises(kind):
        await database.connect()
    await database.close()
