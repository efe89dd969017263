"""Carries ended calls from memory to the spool on disk, and from there to the database."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from itertools import groupby

from llmitm.call import CallRecord
from llmitm.stores.database import Database
from llmitm.stores.errors import LedgerError, Rejected
from llmitm.stores.intake import Entry, Intake
from llmitm.stores.row import encode_call, encode_content
from llmitm.stores.segment import Batch, Line
from llmitm.stores.spool import Spool
from llmitm.stores.tables import CALLS, CONTENT, Table

logger = logging.getLogger(__name__)

TICK = 0.1  # seconds that records gather before they go to disk
BATCH = 500
_CALL, _CONTENT = "c", "t"
_TABLES: dict[str, Table] = {_CALL: CALLS, _CONTENT: CONTENT}
# Content is large: it may not push out the records of the calls themselves.
_SHARES = {_CALL: 1.0, _CONTENT: 0.5}
_ADOPT_EVERY = 10.0
_REPORT_EVERY = 10.0
_RETRY_FIRST, _RETRY_MOST = 0.1, 2.0


class Writer:
    """Two tasks on the ledger's event loop: one never waits for the database, one does.

    `opened` holds the outcome of the first contact with the database: None or the error.
    """

    def __init__(self, intake: Intake, spool: Spool, database: Database) -> None:
        self.healthy = False
        self.opened: Future[LedgerError | None] = Future()
        self._intake = intake
        self._spool = spool
        self._database = database
        self._lost = 0
        self._reported = (0, -_REPORT_EVERY)
        self._adopt_at = 0.0
        self._work = asyncio.Event()
        self._empty = asyncio.Event()

    @property
    def dropped(self) -> int:
        """Records that found no room, or that the database refuses or nobody can read."""
        return self._intake.dropped + self._lost + self._spool.damaged

    async def run(self) -> None:
        """Work until cancelled. An unforeseen error is logged and both tasks begin again."""
        while True:
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._collect())
                    tasks.create_task(self._ship())
            except* Exception:
                logger.exception("ledger: the writer failed and starts again")
                self.healthy = False
                await asyncio.sleep(_RETRY_MOST)

    async def flush(self, timeout: float) -> bool:
        """Save now, and wait up to `timeout` seconds until the database holds everything."""
        self._save()
        if self._spool.records:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), timeout)
        return not self._spool.records

    async def _collect(self) -> None:
        while True:
            await self._intake.wait()
            await asyncio.sleep(TICK)
            self._save()

    def _save(self) -> None:
        while entries := self._intake.oldest(BATCH):
            lines = [line for entry in entries if (line := self._line(entry)) is not None]
            for kind, share in _SHARES.items():
                some = [line for line in lines if line.kind == kind]
                self._lost += self._spool.append(some, share)
            self._intake.drop(len(entries))
        if self._spool.records:
            self._empty.clear()
            self._work.set()
        self._report()

    def _line(self, entry: Entry) -> Line | None:
        try:
            if isinstance(entry, CallRecord):
                return Line(_CALL, encode_call(entry))
            return Line(_CONTENT, encode_content(entry))
        except Exception:
            # Whatever is wrong with it, one record must not cost its neighbours.
            logger.exception("ledger: %s can't be recorded", entry.request_id)
            self._lost += 1
            return None

    async def _ship(self) -> None:
        await self._persist(self._database.connect)
        while True:
            batch = await self._next()
            await self._persist(partial(self._deliver, batch.lines))
            self._spool.advance(batch)

    async def _next(self) -> Batch:
        """The oldest records, once there are any."""
        self._adopt()
        while not self._spool.records:
            self._work.clear()
            self._empty.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._work.wait(), _ADOPT_EVERY)
            self._adopt()
        return self._spool.peek(BATCH)

    def _adopt(self) -> None:
        now = time.monotonic()
        if now >= self._adopt_at:
            self._adopt_at = now + _ADOPT_EVERY
            self._spool.adopt()

    async def _persist(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it again and again until the database plays along."""
        delay = _RETRY_FIRST
        while True:
            try:
                await work()
            except LedgerError as error:
                self._note(error)
            else:
                self._note(None)
                return
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(2 * delay, _RETRY_MOST)

    async def _deliver(self, lines: Sequence[Line]) -> None:
        for kind, group in groupby(lines, key=lambda line: line.kind):
            table = _TABLES.get(kind)
            payloads = [line.payload for line in group]
            if table is None:
                self._lose(len(payloads), f"a newer version's records of kind {kind!r}")
            else:
                await self._insert(table, payloads)

    async def _insert(self, table: Table, payloads: list[bytes]) -> None:
        """Insert rows; of those that the database refuses, find each one and leave it out."""
        try:
            await self._database.insert(table, (b"[%s]" % b",".join(payloads)).decode())
        except Rejected as error:
            if len(payloads) == 1:
                self._lose(1, str(error))
                return
            middle = len(payloads) // 2
            await self._insert(table, payloads[:middle])
            await self._insert(table, payloads[middle:])

    def _lose(self, records: int, reason: str) -> None:
        self._lost += records
        logger.error("ledger: records left out: %d, %s", records, reason)

    def _note(self, error: LedgerError | None) -> None:
        if error is None and not self.healthy and self.opened.done():
            logger.info("ledger: the database is back; records that wait: %d", self._spool.records)
        elif error is not None and (self.healthy or not self.opened.done()):
            logger.error("ledger: records wait in %s: %s", self._spool.directory, error)
        self.healthy = error is None
        if not self.opened.done():
            self.opened.set_result(error)

    def _report(self) -> None:
        """Say how many records are lost, now and then."""
        before, at = self._reported
        now = time.monotonic()
        if self.dropped > before and now - at >= _REPORT_EVERY:
            self._reported = (self.dropped, now)
            logger.error("ledger: records lost since the start: %d", self.dropped)
