"""The ledger of calls, as the gateway writes it: off the hot path, through a spool on disk."""

from __future__ import annotations

import asyncio
import concurrent.futures
import hashlib
import logging
import os
import tempfile
import threading
from pathlib import Path

from llmitm.call import CallRecord
from llmitm.stores.database import Database, open_database, sqlite_path
from llmitm.stores.errors import Misconfigured
from llmitm.stores.intake import Intake
from llmitm.stores.retention import prune
from llmitm.stores.row import ContentRecord
from llmitm.stores.spool import MAX_BYTES, Spool
from llmitm.stores.tables import CALLS, CONTENT, Table
from llmitm.stores.writer import Writer

logger = logging.getLogger(__name__)

_MOST_WAITING = 100_000
_MOST_CONTENT_WAITING = 1_000
_MARGIN = 3.0  # seconds beyond its timeout that closing may take


def open_ledger(
    url: str,
    spool_dir: Path | None = None,
    *,
    wait: float = 5.0,
    max_spool_bytes: int = MAX_BYTES,
) -> Ledger:
    """The running ledger of a database URL (see `open_database`). Open it after any fork.

    Waits up to `wait` seconds for the database. One that is down is no error: calls are recorded
    on disk until it is back. `spool_dir` belongs to this ledger alone, and processes on one
    machine share it; without it, it is next to the SQLite file or, for other databases, below
    the temporary directory. Raises Misconfigured for what waiting won't mend.
    """
    database = open_database(url)
    directory = spool_dir or _spool_directory(url)
    try:
        spool = Spool(directory, max_bytes=max_spool_bytes)
    except OSError as error:
        raise Misconfigured(f"the ledger can't use the spool directory: {error}") from error
    return Ledger(database, spool, wait)


class Ledger:
    """Records calls: whatever the database does, on disk within a quarter of a second.

    And in the database exactly once, as soon as it takes them.
    """

    def __init__(self, database: Database, spool: Spool, wait: float) -> None:
        self._database = database
        self._spool = spool
        self._intake = Intake(_MOST_WAITING)
        self._writer = Writer(self._intake, spool, database)
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._timeout = 0.0
        self._thread = threading.Thread(target=self._serve, name="llmitm-ledger", daemon=True)
        self._thread.start()
        self._await_database(wait)

    def append(self, record: CallRecord) -> None:
        """Record a call: returns in a microsecond, never waits, never raises."""
        self._intake.append(record)

    def append_content(
        self, request_id: str, ts: float, request: str | None, response: str | None
    ) -> None:
        """Record what a call said; dropped before calls are, where there is too much of it."""
        if len(self._intake) >= _MOST_CONTENT_WAITING:
            self._intake.dropped += 1
            return
        self._intake.append(ContentRecord(request_id, ts, request, response))

    @property
    def spool_records(self) -> int:
        """Ended calls that the database doesn't hold yet."""
        return len(self._intake) + self._spool.records

    @property
    def dropped(self) -> int:
        """Records lost since the start: no room, or refused by the database."""
        return self._writer.dropped

    @property
    def healthy(self) -> bool:
        """Whether the database took what it was last given."""
        return self._writer.healthy

    def flush(self, timeout: float = 5.0) -> bool:
        """Block until the database holds all calls so far; False after `timeout` seconds."""
        if not self._thread.is_alive():
            return not self.spool_records
        flushed = asyncio.run_coroutine_threadsafe(self._writer.flush(timeout), self._loop)
        return flushed.result(timeout + _MARGIN)

    async def prune(self, before: float) -> int:
        """Forget calls older than `before`, but not their totals; returns how many.

        Raises Unavailable where the database is.
        """
        return await self._prune(CALLS, before)

    async def prune_content(self, before: float) -> int:
        """Forget what calls older than `before` said; returns how many."""
        return await self._prune(CONTENT, before)

    def close(self, timeout: float = 5.0) -> None:
        """Flush for up to `timeout` seconds and end.

        What the database didn't take by then waits on disk for the next start.
        """
        if not self._thread.is_alive():
            return
        self._intake.close()
        self._timeout = timeout
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(timeout + _MARGIN)
        if self._thread.is_alive():
            logger.error("ledger: the database or the disk doesn't let go; not closed")

    async def _prune(self, table: Table, before: float) -> int:
        pruning = prune(self._database, table, before)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(pruning, self._loop))

    def _await_database(self, wait: float) -> None:
        try:
            error = self._writer.opened.result(wait)
        except concurrent.futures.TimeoutError:
            logger.warning("ledger: no answer from the database yet; calls are recorded on disk")
            return
        if isinstance(error, Misconfigured):
            self.close(0)
            raise error

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._run())

    async def _run(self) -> None:
        running = asyncio.create_task(self._writer.run())
        await self._closing.wait()
        if not await self._writer.flush(self._timeout):
            logger.warning(
                "ledger: records left on disk for the next start: %d", self._spool.records
            )
        running.cancel()
        await asyncio.wait([running])
        self._spool.close()
        await self._database.close()


def _spool_directory(url: str) -> Path:
    path = sqlite_path(url) if url.startswith("sqlite:") else None
    if path is not None:
        return path.with_name(f"{path.name}.spool")
    # Of its own for each database; one in memory has no next process to leave anything to.
    unique = f"{url}#{os.getpid()}" if url.startswith("sqlite:") else url
    name = hashlib.sha256(unique.encode()).hexdigest()[:16]
    return _own_temporary_directory() / name


def _own_temporary_directory() -> Path:
    """Raises Misconfigured where another user was there first: they could read what waits."""
    directory = Path(tempfile.gettempdir()) / f"llmitm-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    if directory.lstat().st_uid != os.getuid():
        raise Misconfigured(f"{directory} is another user's: name a spool directory")
    return directory
