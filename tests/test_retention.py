"""Forgetting calls and what they said."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmitm import retention
from llmitm.config.schema import Logging
from llmitm.stores.errors import Unavailable

DAY = 86_400.0
NOW = 100 * DAY


class Ledger:
    def __init__(self, away: bool = False) -> None:
        self.away = away
        self.pruned: list[tuple[str, float]] = []

    async def prune(self, before: float) -> int:
        if self.away:
            raise Unavailable("away")
        self.pruned.append(("calls", before))
        return 1

    async def prune_content(self, before: float) -> int:
        self.pruned.append(("content", before))
        return 1


@pytest.mark.parametrize(
    ("settings", "pruned"),
    [
        ({}, [("content", 70 * DAY)]),
        ({"keep_calls": "90d"}, [("calls", 10 * DAY), ("content", 70 * DAY)]),
        ({"keep_content": "12h"}, [("content", 99.5 * DAY)]),
        ({"keep_content": None}, []),
    ],
)
async def test_prune(settings: dict[str, Any], pruned: list[tuple[str, float]]) -> None:
    """Calls stay by default, what they said for 30 days."""
    ledger: Any = Ledger()
    await retention.prune(ledger, Logging.model_validate(settings), NOW)
    assert ledger.pruned == pruned


async def test_every_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Again and again, also after the database was away, by the settings of that moment."""
    monkeypatch.setattr(retention, "EVERY_SECONDS", 0.0)
    ledger: Any = Ledger(away=True)
    asked = asyncio.Event()

    enough = asyncio.Event()

    def settings() -> Logging:
        asked.set()
        if len(ledger.pruned) >= 4:
            enough.set()
        return Logging(keep_calls=DAY)

    running = asyncio.create_task(retention.run(ledger, settings))
    await asked.wait()
    ledger.away = False
    await enough.wait()
    running.cancel()
    assert [kind for kind, _ in ledger.pruned[:4]] == ["calls", "content"] * 2
