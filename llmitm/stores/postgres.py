"""The ledger's database in PostgreSQL, for several workers and replicas."""

# ruff: noqa: S608 -- only names of our own tables and columns are put together; values are bound

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # ships no types

from llmitm.stores import schema
from llmitm.stores.database import Row, Statement
from llmitm.stores.errors import Misconfigured, Rejected, Unavailable
from llmitm.stores.tables import Table

_CONNECT_TIMEOUT = 3.0
_COMMAND_TIMEOUT = 10.0
_MIGRATION_TIMEOUT = 3600.0
_LOCK = "SELECT pg_advisory_xact_lock(7239114520118)"  # any number that only llmitm uses

_REJECTED = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
)
_MISCONFIGURED = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ClientConfigurationError,
)
_UNAVAILABLE = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class PostgresDatabase:
    """One connection, used by one task at a time and made again after any failure."""

    def __init__(self, url: str, *, create: bool = True) -> None:
        self._url = url
        self._create = create
        self._lock = asyncio.Lock()
        self._connection: Any = None

    async def connect(self) -> None:
        await self._run(_ping)

    async def query(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        async def work(connection: Any) -> list[Row]:
            return [tuple(row) for row in await connection.fetch(_numbered(sql), *params)]

        return await self._run(work)

    async def change(self, *statements: Statement) -> list[int]:
        async def work(connection: Any) -> list[int]:
            async with connection.transaction():
                tags = [await connection.execute(_numbered(s), *p) for s, p in statements]
            return [int(tag.rpartition(" ")[2]) for tag in tags]

        return await self._run(work)

    async def insert(self, table: Table, rows: str) -> None:
        async def work(connection: Any) -> None:
            await connection.execute(_insert_sql(table), rows)

        await self._run(work)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.close(timeout=1.0)
            except _UNAVAILABLE:
                connection.terminate()

    async def _run[T](self, work: Callable[[Any], Awaitable[T]]) -> T:
        async with self._lock:
            try:
                if self._connection is None:
                    self._connection = await self._open()
                return await work(self._connection)
            except _REJECTED as error:
                raise Rejected(str(error)) from error
            except _MISCONFIGURED as error:
                self._drop()
                raise Misconfigured(f"PostgreSQL: {error}") from error
            except _UNAVAILABLE as error:
                self._drop()
                raise Unavailable(f"PostgreSQL: {str(error) or type(error).__name__}") from error
            except asyncio.CancelledError:
                self._drop()  # an answer may still be on its way
                raise

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _open(self) -> Any:
        connection = await asyncpg.connect(
            self._url,
            timeout=_CONNECT_TIMEOUT,
            command_timeout=_COMMAND_TIMEOUT,
            statement_cache_size=0,  # prepared statements don't survive PgBouncer
            server_settings={"application_name": "llmitm"},
        )
        try:
            await _prepare(connection, self._create)
        except BaseException:
            connection.terminate()
            raise
        return connection


async def _ping(connection: Any) -> None:
    await connection.fetchval("SELECT 1")


async def _prepare(connection: Any, create: bool) -> None:
    known = schema.steps("postgres")
    version = await _version(connection)
    if not create:
        schema.check(known, version)
    elif schema.missing(known, version):
        await _migrate(connection, known)


async def _version(connection: Any) -> int:
    if await connection.fetchval("SELECT to_regclass('schema_version')") is None:
        return 0
    version: int = await connection.fetchval(schema.READ_VERSION)
    return version


async def _migrate(connection: Any, known: Sequence[schema.Step]) -> None:
    async with connection.transaction():
        await connection.execute(_LOCK)  # other workers wait here, and find nothing left to do
        await connection.execute(schema.VERSION_TABLE)
        for step in schema.missing(known, await _version(connection)):
            await connection.execute(step.sql, timeout=_MIGRATION_TIMEOUT)
            await connection.execute(step.record)


@cache
def _numbered(sql: str) -> str:
    """The statement with PostgreSQL's `$1`, `$2` for each `?`."""
    first, *rest = sql.split("?")
    return first + "".join(f"${n}{part}" for n, part in enumerate(rest, 1))


@cache
def _insert_sql(table: Table) -> str:
    values = ", ".join(f"(entry->>{n})::{column.type}" for n, column in enumerate(table.columns))
    return (
        f"INSERT INTO {table.name} ({table.names}) SELECT {values}"
        " FROM jsonb_array_elements($1::jsonb) AS entries (entry)"
        " ON CONFLICT (request_id) DO NOTHING"
    )
