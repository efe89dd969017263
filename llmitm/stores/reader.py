"""Reading the ledger, from any process, while the gateway writes."""

# ruff: noqa: S608 -- only names of our own tables and columns are put together; values are bound

from __future__ import annotations

from decimal import Decimal
from types import TracebackType
from typing import Literal, Self

from llmitm.call import CallRecord
from llmitm.stores.database import Database, open_database
from llmitm.stores.filters import Filters
from llmitm.stores.row import ContentRecord, decode_call
from llmitm.stores.tables import CALLS, CONTENT
from llmitm.stores.usage import By, UsageRow, usage_query, usage_rows

ALL = Filters()
Scope = Literal["key", "user", "team", "global"]


def open_reader(url: str) -> Reader:
    """A reader of the ledger at `url`. Connects on first use; creates and changes nothing.

    Raises Misconfigured for a URL that is no ledger's.
    """
    return Reader(open_database(url, create=False))


class Reader:
    """Reports on calls. Each method raises Unavailable or Misconfigured."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def usage(
        self, filters: Filters = ALL, *, by: By | None = None, utc_offset: int = 0
    ) -> list[UsageRow]:
        """Sums per group, or one row for all calls; no row where there are no calls.

        `utc_offset` (seconds) is where days begin; ValueError unless whole quarter hours.
        Of calls that were pruned the totals remain, by the hour: of an hour that `since` or
        `until` cuts through they no longer count, and one in which a day begins counts for one day.
        """
        sql, params = usage_query(filters, by, utc_offset)
        return usage_rows(await self._database.query(sql, params), by)

    async def spend(self, scope: Scope, owner: str | None, since: float) -> Decimal:
        """US dollars of the calls accepted at `since` or later; calls without a price count 0.

        `owner` is the key, user or team; `global` has none. ValueError where it is missing.
        """
        if (owner is None) != (scope == "global"):
            raise ValueError(f"there is no spend of {scope} {owner!r}")
        filters = Filters(
            since=since,
            key=owner if scope == "key" else None,
            user=owner if scope == "user" else None,
            team=owner if scope == "team" else None,
        )
        rows = await self.usage(filters)
        return rows[0].cost_usd if rows else Decimal(0)

    async def calls(
        self, limit: int = 100, *, before: str | None = None, filters: Filters = ALL
    ) -> list[CallRecord]:
        """The newest calls first. `before` is the request id of the last one of the page before.

        Raises LookupError where the ledger has no such call.
        """
        where, params = filters.exact()
        if filters.since is not None:
            where, params = f"{where} AND ts >= ?", (*params, filters.since)
        if filters.until is not None:
            where, params = f"{where} AND ts < ?", (*params, filters.until)
        if before is not None:
            where, params = f"{where} AND (ts, id) < (?, ?)", (*params, *await self._place(before))
        sql = f"SELECT {CALLS.names} FROM calls WHERE true{where} ORDER BY ts DESC, id DESC LIMIT ?"
        return [decode_call(row) for row in await self._database.query(sql, (*params, limit))]

    async def call(self, request_id: str) -> CallRecord | None:
        """One call by its request id."""
        sql = f"SELECT {CALLS.names} FROM calls WHERE request_id = ?"
        rows = await self._database.query(sql, (request_id,))
        return decode_call(rows[0]) if rows else None

    async def content(self, request_id: str) -> ContentRecord | None:
        """What a call said and was answered, where that was kept."""
        sql = f"SELECT {CONTENT.names} FROM content WHERE request_id = ?"
        rows = await self._database.query(sql, (request_id,))
        return ContentRecord(*rows[0]) if rows else None

    async def close(self) -> None:
        await self._database.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _place(self, request_id: str) -> tuple[float, int]:
        rows = await self._database.query(
            "SELECT ts, id FROM calls WHERE request_id = ?", (request_id,)
        )
        if not rows:
            raise LookupError(f"the ledger has no call {request_id!r}")
        ts, number = rows[0]
        return ts, number
