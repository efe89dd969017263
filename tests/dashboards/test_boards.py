"""The dashboards: what is committed is what the tables say, and asks for what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import grafana
import msgspec
import pytest
from boards import BOARDS
from boards.panel import Board, Panel
from promql_parser import AggregateExpr, VectorSelector

from llmitm.call import CallRecord
from tests.support.promql import ROOT, children, faults, known, labels_of, parsed

FOLDER = ROOT / "dashboards" / "grafana"
PANELS = [(board, panel) for board in BOARDS for panel in board.panels]
QUERIES = [
    (board, panel, query)
    for board, panel in PANELS
    for query in panel.queries
    if panel.kind != "logs"
]
FIELDS = {field.name for field in msgspec.structs.fields(CallRecord)}
# What the fifth seed's README promises to show.
OF_THE_SEED = (
    "Requests per second",
    "P95 latency",
    "Tokens per second",
    "Circuit breaker states",
)


def name(value: object) -> str:
    return getattr(value, "title", None) or getattr(value, "expr", "")[:40]


def bare(node: Any) -> bool:
    """Whether series come out as they are scraped, one for each process."""
    if isinstance(node, AggregateExpr):
        return False
    return isinstance(node, VectorSelector) or any(map(bare, children(node)))


def committed(board: Board) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / "boards" / f"{board.name}.json").read_text())
    return loaded


@pytest.mark.parametrize("board", BOARDS, ids=name)
def test_committed_is_generated(board: Board) -> None:
    """The JSON in the repository is what `make dashboards` writes."""
    path = FOLDER / "boards" / f"{board.name}.json"
    assert path.read_text() == grafana.text(board), "run make dashboards"


def test_nothing_else_is_committed() -> None:
    """Every file beside them is a dashboard of the tables."""
    files = {path.name for path in (FOLDER / "boards").iterdir()}
    assert files == {f"{board.name}.json" for board in BOARDS}


@pytest.mark.parametrize(("board", "panel", "query"), QUERIES, ids=name)
def test_queries_ask_for_what_there_is(board: Board, panel: Panel, query: Any) -> None:
    """A query speaks of metrics and labels of the table only."""
    assert faults(query.expr) == []


@pytest.mark.parametrize(
    ("expr", "fault"),
    [
        ("rate(llmitm_request_total[5m])", "no metric llmitm_request_total"),
        ('llmitm_in_flight{key="a"}', "llmitm_in_flight has no label key"),
        ("sum by (model) (llmitm_requests_total)", "no metric here has the label model"),
        ("llmitm_overhead_seconds", "no metric llmitm_overhead_seconds"),
        (
            "llmitm_cost_usd_total * on (user) llmitm_requests_total",
            "no metric here has the label user",
        ),
    ],
)
def test_a_wrong_query_is_found(expr: str, fault: str) -> None:
    """The check above finds what it is for."""
    assert fault in faults(expr)


@pytest.mark.parametrize(("board", "panel", "query"), QUERIES, ids=name)
def test_queries_add_up(board: Board, panel: Panel, query: Any) -> None:
    """No query shows replicas or workers one by one unless it says so: all add up."""
    assert not bare(parsed(query.expr))


@pytest.mark.parametrize(("board", "panel", "query"), QUERIES, ids=name)
def test_legends_name_labels_that_are_left(board: Board, panel: Panel, query: Any) -> None:
    """A legend's labels are those that the query groups by."""
    assert set(re.findall(r"{{(\w+)}}", query.legend)) <= labels_of(parsed(query.expr))


@pytest.mark.parametrize("board", BOARDS, ids=name)
def test_variables_are_defined(board: Board) -> None:
    """Every variable that a query uses is one of the dashboard's, or Grafana's own."""
    defined = {variable["name"] for variable in committed(board)["templating"]["list"]}
    used = {
        found
        for panel in board.panels
        for query in panel.queries
        for found in re.findall(r"\$(\w+)", query.expr)
    }
    assert used - defined <= {"__rate_interval", "__range"}
    assert {choice.name for choice in board.choices} <= used


@pytest.mark.parametrize("board", BOARDS, ids=name)
def test_choices_are_labels(board: Board) -> None:
    """What a reader may choose from are the values of a label that the metric has."""
    for choice in board.choices:
        assert choice.label in known()[choice.metric]


@pytest.mark.parametrize("board", BOARDS, ids=name)
def test_panels_do_not_overlap(board: Board) -> None:
    """Panels stand side by side within 24 columns, each with an id of its own."""
    panels = committed(board)["panels"]
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.parametrize("board", BOARDS, ids=name)
def test_logs_are_joined_by_request_id(board: Board) -> None:
    """Each dashboard has a panel of log lines that a request id narrows down to one call."""
    logs = [panel for panel in board.panels if panel.kind == "logs"]
    assert logs
    assert all("|= `$request_id`" in panel.queries[0].expr for panel in logs)


@pytest.mark.parametrize("panel", [panel for _, panel in PANELS if panel.kind == "logs"], ids=name)
def test_logs_have_these_fields(panel: Panel) -> None:
    """A query for log lines speaks of fields that the access log has."""
    expr = panel.queries[0].expr
    selector, _, rest = expr.partition("}")
    used = set(re.findall(r"(\w+)=~?\"", selector)) | set(re.findall(r"{{\.(\w+)}}", rest))
    used |= set(re.findall(r"\| (\w+) [<>=]", rest))
    assert used <= {"level", "event", "job", *FIELDS}


def test_panels_of_the_seed() -> None:
    """The fifth seed's panels are there, under its names for them."""
    titles = {panel.title for panel in BOARDS[0].panels}
    assert set(OF_THE_SEED) <= titles


def test_names_are_unique() -> None:
    """No dashboard has two panels of one title."""
    for board in BOARDS:
        titles = [panel.title for panel in board.panels]
        assert len(set(titles)) == len(titles)


def test_writing_again_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make dashboards` writes every file, and takes away those of boards that are gone."""
    (tmp_path / "gone.json").write_text("{}")
    monkeypatch.setattr(grafana, "FOLDER", tmp_path)
    grafana.main()
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written == {f"{board.name}.json": grafana.text(board) for board in BOARDS}
