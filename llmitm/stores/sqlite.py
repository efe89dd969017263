"""The ledger's database in a SQLite file, in WAL mode: readers and the writer don't wait."""

# ruff: noqa: S608 -- only names of our own tables and columns are put together; values are bound

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

from llmitm.stores import schema
from llmitm.stores.database import Row, Statement
from llmitm.stores.errors import LedgerError, Misconfigured, Rejected, Unavailable
from llmitm.stores.tables import Table

_BUSY = 5.0  # seconds to wait for another process's transaction
# One database for all connections of the process, with the locks of a file.
_IN_MEMORY = "file:/llmitm?vfs=memdb"
_making = threading.Lock()
_PRAGMAS = "PRAGMA synchronous=NORMAL; PRAGMA cache_size=-8000; PRAGMA temp_store=MEMORY"


class SqliteDatabase:
    """One connection, used in a thread of its own, so that an event loop never waits for a disk.

    Any event loop may use it. `path` None is the database in memory.
    """

    def __init__(self, path: Path | None, *, create: bool = True) -> None:
        self.path = path
        self._create = create
        self._thread = ThreadPoolExecutor(1, "llmitm-sqlite")
        self._connection: sqlite3.Connection | None = None

    async def connect(self) -> None:
        await self._run(lambda connection: None)

    async def query(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        return await self._run(lambda connection: connection.execute(sql, params).fetchall())

    async def change(self, *statements: Statement) -> list[int]:
        return await self._run(partial(_transact, statements=statements))

    async def insert(self, table: Table, rows: str) -> None:
        await self.change(Statement(_insert_sql(table), (rows,)))

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)

    async def _run[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._attempt, work)

    def _attempt[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._open()
            return work(self._connection)
        except sqlite3.IntegrityError as error:
            raise Rejected(str(error)) from error
        except (sqlite3.Error, OSError) as error:
            if self.path is not None:  # the database in memory goes away with its connection
                self._disconnect()
            raise Unavailable(f"SQLite: {error}") from error

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._location(), uri=True, timeout=_BUSY, autocommit=True, check_same_thread=False
        )
        try:
            _prepare(connection, self._create)
        except (sqlite3.Error, LedgerError):
            connection.close()
            raise
        return connection

    def _location(self) -> str:
        if self.path is None:
            return _IN_MEMORY
        if self._create:
            _make_private(self.path)
        elif not self.path.exists():
            raise Misconfigured(f"there is no ledger at {self.path}: the gateway makes it")
        return f"{self.path.absolute().as_uri()}?mode={'rw' if self._create else 'ro'}"


def _make_private(path: Path) -> None:
    """An empty file that only its owner can read; SQLite gives its companions the same mode.

    A file that is there is not touched: closing it would let go of the locks that this process's
    connections hold on it (POSIX). Another process that closes its last connection would then
    take itself for the last user and remove the log that ours write to.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _making, suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _prepare(connection: sqlite3.Connection, create: bool) -> None:
    known = schema.steps("sqlite")
    if not create:
        schema.check(known, _version(connection))
        return
    _patiently(lambda: connection.execute("PRAGMA journal_mode=WAL"))
    connection.executescript(_PRAGMAS)
    if schema.missing(known, _version(connection)):
        _migrate(connection, known)


def _version(connection: sqlite3.Connection) -> int:
    exists = "SELECT 1 FROM sqlite_master WHERE name = 'schema_version'"
    if connection.execute(exists).fetchone() is None:
        return 0
    version: int = connection.execute(schema.READ_VERSION).fetchone()[0]
    return version


def _migrate(connection: sqlite3.Connection, known: Sequence[schema.Step]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(schema.VERSION_TABLE)
        for step in schema.missing(known, _version(connection)):
            connection.executescript(step.sql)
            connection.execute(step.record)
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _patiently(work: Callable[[], object]) -> None:
    """Switching to WAL answers "locked" at once while another process does the same."""
    deadline = time.monotonic() + _BUSY
    while True:
        try:
            work()
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _transact(connection: sqlite3.Connection, statements: Sequence[Statement]) -> list[int]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        counts = [connection.execute(sql, params).rowcount for sql, params in statements]
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some errors have rolled back already
            connection.execute("ROLLBACK")
        raise
    return counts


@cache
def _insert_sql(table: Table) -> str:
    """One statement for a whole batch, so that the interpreter's lock is let go of once.

    With a statement per row a busy event loop gets the lock back between any two rows, and a
    batch of 500 takes half a second.
    """
    values = ", ".join(f"json_extract(value, '$[{n}]')" for n in range(len(table.columns)))
    return (
        f"INSERT INTO {table.name} ({table.names}) SELECT {values} FROM json_each(?)"
        " WHERE true ON CONFLICT (request_id) DO NOTHING"
    )
