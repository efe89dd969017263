"""One test body, two databases: a test that takes `url` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from llmitm.stores.database import Database, open_database
from llmitm.stores.ledger import Ledger, open_ledger
from llmitm.stores.reader import Reader, open_reader
from tests.stores.postgres_server import PostgresServer

Open = Callable[[str], Ledger]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'data' / 'ledger.db'}"


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """A new, empty ledger's URL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """The spool directory of all ledgers of a test."""
    return tmp_path / "spool"


@pytest.fixture
def opened(spool: Path) -> Iterator[Open]:
    """Opens ledgers that are closed after the test."""
    ledgers: list[Ledger] = []

    def opener(url: str) -> Ledger:
        ledgers.append(open_ledger(url, spool))
        return ledgers[-1]

    yield opener
    for ledger in ledgers:
        ledger.close(0)


@pytest.fixture
def ledger(url: str, opened: Open) -> Ledger:
    """A running ledger."""
    return opened(url)


@pytest.fixture
async def reader(url: str, ledger: Ledger) -> AsyncIterator[Reader]:
    """A reader of what `ledger` writes."""
    async with open_reader(url) as reader:
        yield reader


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """A database of the current schema, without a ledger."""
    database = open_database(url)
    await database.connect()
    yield database
    await database.close()
