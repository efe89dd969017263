"""A real Prometheus scrapes a gateway of two workers under a little load."""

from __future__ import annotations

import asyncio
import math
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from boards import BOARDS
from boards.panel import filled
from observed import Stand, stand, until
from traffic import Traffic

from tests.support.promql import rules

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="prometheus is not installed"
)
RATE = 12.0  # calls per second
PATIENCE = 45.0  # seconds; some series are there only once they were scraped twice


def queries() -> Iterator[tuple[str, str]]:
    """Every query of every dashboard, with where it stands."""
    for board in BOARDS:
        for panel in board.panels:
            if panel.kind != "logs":
                for query in panel.queries:
                    yield f"{board.name}: {panel.title}", filled(query.expr, "10s", "1m")


async def values(stand: Stand, expr: str) -> list[float]:
    """What an expression gives now, but for what is not a number."""
    found = [float(series["value"][1]) for series in await stand.ask("query", query=expr)]
    return [value for value in found if not math.isnan(value)]


async def happen(stand: Stand) -> None:
    """A provider fails and comes back, policies are edited."""
    await asyncio.sleep(1.5)
    stand.providers["openai"].fault = "503"
    await until(lambda: some(stand, "llm_circuit_breaker_state > 0"))
    stand.providers["openai"].fault = None
    await until(lambda: some(stand, 'llm_circuit_breaker_state{target="openai/gpt-4o-mini"} == 0'))
    await stand.edit_policies()
    await until(lambda: some(stand, "sum(rate(llmitm_rate_limited_total[5s])) > 0"))


async def some(stand: Stand, expr: str) -> bool:
    return bool(await values(stand, expr))


def recorded() -> list[str]:
    return [rule["record"] for rule in rules() if "record" in rule]


async def still_empty(stand: Stand, asked: list[tuple[str, str]]) -> list[str]:
    """Where the queries stand that return nothing however often they are asked."""
    deadline = time.monotonic() + PATIENCE
    while asked and time.monotonic() < deadline:
        asked = [(place, expr) for place, expr in asked if not await values(stand, expr)]
    return [place for place, _ in asked]


async def equals(stand: Stand, expr: str, number: float) -> bool:
    return await values(stand, expr) == [number]


async def test_queries_return_data(tmp_path: Path) -> None:
    """Each query of each dashboard returns data, and each rule evaluates.

    The sum over the workers is the number of calls that were made, and every alert's expression
    runs in Prometheus itself.
    """
    async with stand(tmp_path) as watched:
        traffic = Traffic(watched, RATE)
        async with traffic.flowing():
            await happen(watched)
            asked = [*queries(), *((name, name) for name in recorded())]
            assert await still_empty(watched, asked) == []
        groups = await watched.ask("rules")
        evaluated = {rule["name"]: rule for group in groups for rule in group["rules"]}
        assert {rule.get("alert") or rule["record"] for rule in rules()} == set(evaluated)
        assert {
            name: r.get("lastError") for name, r in evaluated.items() if r["health"] != "ok"
        } == {}
        refused = evaluated["LLMProviderCredentialsRefused"]["alerts"]
        assert [alert["labels"]["provider"] for alert in refused] == ["mistral"]
        await until(lambda: equals(watched, "sum(llmitm_requests_total)", traffic.answered))
