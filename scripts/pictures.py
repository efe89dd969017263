"""Draws every dashboard from its own queries, on what a real Prometheus saw of a real gateway.

For the documentation, where no Grafana is at hand. Two minutes pass: a provider fails for a while
and comes back. Lines of logs come from the gateway's output, as Loki would have them.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grafana
import msgspec
from boards import BOARDS
from boards.panel import Board, Panel, Query, filled
from observed import ROOT, Stand, stand
from sketch import Series, sketch
from traffic import Traffic

FOLDER = ROOT / "docs" / "images" / "dashboards"
WINDOW = "10s"
STEP = 1.0
# Seconds into the run -> the provider, and how it behaves from then on.
EVENTS: Sequence[tuple[float, str, str | None]] = (
    (25, "openai", "503"),
    (50, "openai", None),
    (70, "anthropic", "529:times=6"),
    (95, "anthropic", None),
)
LASTS = 110.0
LINES = 14  # of a log


async def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with stand(folder) as watched:
            start = time.time()
            await _happen(watched)
            end = time.time()
            log = await asyncio.to_thread((folder / "gateway.log").read_text)
            FOLDER.mkdir(parents=True, exist_ok=True)
            for board in BOARDS:
                data = [await _data(watched, panel, (start, end), log) for panel in board.panels]
                _draw(board, data)


async def _happen(watched: Stand) -> None:
    async with Traffic(watched, rate=12).flowing():
        at = 0.0
        for moment, provider, fault in EVENTS:
            await asyncio.sleep(moment - at)
            watched.providers[provider].fault = fault
            at = moment
            print(f"{moment:.0f} s: {provider} {fault or 'is back'}", flush=True)
        await watched.edit_policies()
        await asyncio.sleep(LASTS - at)


async def _data(
    watched: Stand, panel: Panel, span: tuple[float, float], log: str
) -> list[Series] | list[str]:
    """What a panel shows: series, or lines of text."""
    if panel.kind == "logs":
        return lines(panel.queries[0].expr, log)
    found = [await _series(watched, query, *span) for query in panel.queries]
    return [series for one in found for series in one]


async def _series(watched: Stand, query: Query, start: float, end: float) -> list[Series]:
    span = f"{end - start:.0f}s"
    parameters = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{STEP}"}
    answer = await watched.ask("query_range", query=filled(query.expr, WINDOW, span), **parameters)
    return [_one(query.legend, series, start) for series in answer]


def _one(legend: str, series: Mapping[str, Any], start: float) -> Series:
    labels: Mapping[str, str] = {"instance": "gateway", **series["metric"]}
    labels = {**labels, "instance": "gateway"} if "instance" in series["metric"] else labels
    name = re.sub(r"{{(\w+)}}", lambda match: labels.get(match[1], ""), legend)
    points = [(float(at) - start, float(value)) for at, value in series["values"]]
    return Series(name, [at for at, _ in points], [value for _, value in points])


def lines(expr: str, log: str) -> list[str]:
    """The last lines that a LogQL query of the dashboards would find in a log."""
    wanted = dict(re.findall(r'(level|event)=~?"([^"]+)"', expr))
    template = re.search(r"line_format `([^`]*)`", expr)
    least = re.search(r"cost_usd > ([\d.]+)", expr)
    found = []
    for line in log.splitlines():
        entry = msgspec.json.decode(line) if line.startswith("{") else {}
        if not all(re.fullmatch(value, str(entry.get(name))) for name, value in wanted.items()):
            continue
        if least and (entry.get("cost_usd") or 0) <= float(least[1]):
            continue
        text = _formatted(template[1], entry) if template else line
        found.append(re.sub(r"/\S*/(?=policies/)", "", text))  # the folder of this run
    return found[-LINES:]


def _formatted(template: str, entry: Mapping[str, Any]) -> str:
    def field(match: re.Match[str]) -> str:
        value = entry.get(match[1])
        return "" if value is None else str(value)

    return re.sub(r"{{\.(\w+)}}", field, template)


def _draw(board: Board, data: Sequence[list[Series] | list[str]]) -> None:
    places = [panel["gridPos"] for panel in grafana.rendered(board)["panels"]]
    path = FOLDER / f"{board.name}.png"
    sketch(path, board.title, list(zip(board.panels, places, data, strict=True)))
    print(path.relative_to(ROOT), flush=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
