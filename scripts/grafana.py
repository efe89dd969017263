"""Writes the dashboards in scripts/boards/ as Grafana's JSON, into dashboards/grafana/boards/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from boards import BOARDS
from boards.panel import Board, Choice, Kind, Panel, Query

FOLDER = Path(__file__).resolve().parent.parent / "dashboards" / "grafana" / "boards"
SCHEMA = 39  # of dashboards; Grafana 10.3 and later read it
PROMETHEUS = {"type": "prometheus", "uid": "${prometheus}"}
LOKI = {"type": "loki", "uid": "${loki}"}
TYPES: dict[Kind, str] = {
    "stat": "stat",
    "lines": "timeseries",
    "stack": "timeseries",
    "states": "state-timeline",
    "bars": "bargauge",
    "logs": "logs",
}
# A number that stands alone, and is one of its kind, is asked for once.
INSTANT: frozenset[Kind] = frozenset({"stat", "bars"})
LEGEND = {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]}
OPTIONS: dict[Kind, dict[str, Any]] = {
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "graphMode": "none"},
    "lines": {"legend": LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}},
    "stack": {"legend": LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}},
    "states": {"mergeValues": True, "showValue": "auto"},
    "bars": {"orientation": "horizontal", "displayMode": "gradient"},
    "logs": {"showTime": True, "wrapLogMessage": True, "enableLogDetails": True},
}


def main() -> None:
    """Write every dashboard, and take away files of boards that are gone."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    texts = {f"{board.name}.json": text(board) for board in BOARDS}
    for path in FOLDER.glob("*.json"):
        if path.name not in texts:
            path.unlink()
    for name, content in texts.items():
        (FOLDER / name).write_text(content)


def text(board: Board) -> str:
    """The file of a dashboard."""
    return json.dumps(rendered(board), indent=2, ensure_ascii=False) + "\n"


def rendered(board: Board) -> dict[str, Any]:
    """A dashboard as Grafana imports it."""
    return {
        "uid": f"llmitm-{board.name}",
        "title": board.title,
        "description": board.about,
        "tags": ["llmitm"],
        "schemaVersion": SCHEMA,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "10s",
        "templating": {"list": _variables(board)},
        "links": [_links()],
        "panels": list(_placed(board.panels)),
    }


def _links() -> dict[str, Any]:
    """A way to the other dashboards that keeps the time shown."""
    return {
        "type": "dashboards",
        "tags": ["llmitm"],
        "title": "LLM gateway",
        "asDropdown": True,
        "includeVars": True,
        "keepTime": True,
    }


def _variables(board: Board) -> list[dict[str, Any]]:
    return [
        {"type": "datasource", "name": "prometheus", "label": "Metrics", "query": "prometheus"},
        {"type": "datasource", "name": "loki", "label": "Logs", "query": "loki"},
        *(_choice(choice) for choice in board.choices),
        {
            "type": "textbox",
            "name": "request_id",
            "label": "Request id",
            "query": "",
            "current": {"text": "", "value": ""},
        },
    ]


def _choice(choice: Choice) -> dict[str, Any]:
    query = f"label_values({choice.metric}, {choice.label})"
    return {
        "type": "query",
        "name": choice.name,
        "label": choice.name.capitalize(),
        "datasource": PROMETHEUS,
        "definition": query,
        "query": {"query": query, "refId": choice.name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _placed(panels: tuple[Panel, ...]) -> list[dict[str, Any]]:
    """The panels, left to right and top to bottom, each row as high as its highest."""
    placed, x, y, row = [], 0, 0, 0
    for number, panel in enumerate(panels, start=1):
        if x + panel.width > 24:
            x, y, row = 0, y + row, 0
        place = {"x": x, "y": y, "w": panel.width, "h": panel.height}
        placed.append(_panel(panel, number, place))
        x, row = x + panel.width, max(row, panel.height)
    return placed


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": number,
        "type": TYPES[panel.kind],
        "title": panel.title,
        "gridPos": place,
        "datasource": LOKI if panel.kind == "logs" else PROMETHEUS,
        "targets": [_target(panel, q, chr(65 + i)) for i, q in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": OPTIONS[panel.kind],
    }
    if panel.about:
        made["description"] = panel.about
    return made


def _target(panel: Panel, query: Query, name: str) -> dict[str, Any]:
    if panel.kind == "logs":
        return {"refId": name, "datasource": LOKI, "expr": query.expr, "queryType": "range"}
    instant = panel.kind in INSTANT
    return {
        "refId": name,
        "datasource": PROMETHEUS,
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "instant": instant,
        "range": not instant,
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": panel.unit}
    if panel.kind in ("lines", "stack"):
        defaults["custom"] = {
            "fillOpacity": 30 if panel.kind == "stack" else 8,
            "lineWidth": 1,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.kind == "stack" else "none", "group": "A"},
        }
    if panel.kind == "bars":
        defaults |= {"min": 0, "max": 1, "color": {"mode": "continuous-RdYlGr"}}
    if panel.values:
        defaults["mappings"] = [{"type": "value", "options": _words(panel)}]
    return defaults


def _words(panel: Panel) -> dict[str, Any]:
    colours = {panel.good: "green", 2: "yellow"}
    return {
        str(number): {"text": word, "color": colours.get(number, "red"), "index": number}
        for number, word in panel.values.items()
    }


if __name__ == "__main__":
    main()
