"""The tables are those of the schema."""

from __future__ import annotations

import pytest

from llmitm.stores.database import Database
from llmitm.stores.tables import CALLS, CONTENT, Table


@pytest.mark.parametrize("table", [CALLS, CONTENT], ids=lambda table: table.name)
async def test_columns_exist(database: Database, table: Table) -> None:
    """Every column of a record is in both databases."""
    assert await database.query(f"SELECT {table.names} FROM {table.name}") == []
