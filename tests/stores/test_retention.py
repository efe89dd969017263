"""Forgetting in batches."""

from __future__ import annotations

import pytest

from llmitm.stores import retention
from llmitm.stores.database import Database
from llmitm.stores.retention import prune
from llmitm.stores.row import encode_call
from llmitm.stores.tables import CALLS
from tests.stores.records import make


@pytest.mark.parametrize("batch", [1, 4, 5, 100])
async def test_prune(database: Database, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly those before the moment go, however many batches it takes."""
    monkeypatch.setattr(retention, "_BATCH", batch)
    rows = b",".join(encode_call(make(ts=float(second))) for second in range(12))
    await database.insert(CALLS, f"[{rows.decode()}]")
    assert await prune(database, CALLS, 8.0) == 8
    assert await prune(database, CALLS, 8.0) == 0
    assert await database.query("SELECT min(ts) FROM calls") == [(8.0,)]
