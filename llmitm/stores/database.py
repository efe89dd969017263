"""What the ledger asks of a database. One SQL text serves both, with `?` for parameters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from llmitm.stores.errors import Misconfigured
from llmitm.stores.tables import Table

Row = tuple[Any, ...]
MEMORY = ":memory:"
_SQLITE = "sqlite:///"


class Statement(NamedTuple):
    """One change and its parameters."""

    sql: str
    params: tuple[Any, ...] = ()


class Database(Protocol):
    """A connection that makes and mends itself when used, from one event loop.

    Every method raises Unavailable, Rejected or Misconfigured.
    """

    async def connect(self) -> None:
        """Connect, and bring the schema up to date where this may create it."""

    async def query(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """The rows of one SELECT."""

    async def change(self, *statements: Statement) -> list[int]:
        """Run statements in one transaction; returns how many rows each one touched."""

    async def insert(self, table: Table, rows: str) -> None:
        """Insert a JSON array of rows in one transaction; those that are there are left alone."""

    async def close(self) -> None:
        """Let go of the connection. The object can be used again."""


def open_database(url: str, *, create: bool = True) -> Database:
    """The database of a URL: `sqlite:///relative`, `sqlite:////absolute` or `postgresql://…`.

    `sqlite:///:memory:` is one database for the whole process. Without `create` nothing is
    created or migrated, and a database of another schema version is refused. Connects on first
    use. Raises Misconfigured for any other URL.
    """
    if url.startswith(_SQLITE) and url != _SQLITE:
        from llmitm.stores.sqlite import SqliteDatabase

        return SqliteDatabase(sqlite_path(url), create=create)
    if urlsplit(url).scheme in ("postgres", "postgresql"):
        from llmitm.stores.postgres import PostgresDatabase

        return PostgresDatabase(url, create=create)
    raise Misconfigured(
        f"no ledger is known for a URL that begins with {url.partition(':')[0]!r}:"
        " write sqlite:///path/to.db or postgresql://user@host/name"
    )


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite URL; None for the database in memory."""
    path = url.removeprefix(_SQLITE)
    return None if path == MEMORY else Path(path)
