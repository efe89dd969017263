"""Forgetting old calls, a few at a time so that writers don't wait."""

# ruff: noqa: S608 -- only names of our own tables and columns are put together; values are bound

from __future__ import annotations

from llmitm.stores.database import Database, Statement
from llmitm.stores.tables import Table

_BATCH = 500


async def prune(database: Database, table: Table, before: float) -> int:
    """Delete the records of a table older than `before`; returns how many. Totals remain."""
    oldest = f"SELECT request_id FROM {table.name} WHERE ts < ? ORDER BY ts LIMIT {_BATCH}"
    statement = Statement(
        f"DELETE FROM {table.name} WHERE request_id IN ({oldest})", (float(before),)
    )
    deleted = 0
    while True:
        [count] = await database.change(statement)
        deleted += count
        if count < _BATCH:
            return deleted
