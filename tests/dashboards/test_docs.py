"""Code, documents, dashboards and rules speak of the metrics in the one table, and of all of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import metrics_page
import pytest

from llmitm.metrics import TABLE
from tests.support.promql import ROOT, known, rules

PAGE = ROOT / "docs" / "metrics.md"
NAMES = {spec.name for spec in TABLE}
A_METRIC = re.compile(r"\b(?:llmitm|llm_circuit_breaker|gen_ai)_[a-z0-9_]*[a-z0-9]\b(?!-)")
LABELS = {label for spec in TABLE for label in spec.labels}
# Words of that look that are no metrics: modules made of addons, and names in examples.
NO_METRICS = re.compile(r"llmitm_addon_|llmitm_(?:default|key|admin_token|dev_key|data)\b")


def sources() -> Iterator[Path]:
    for folder in ("llmitm", "addons"):
        yield from (ROOT / folder).rglob("*.py")


def spoken_of(path: Path) -> Iterator[re.Pattern[str]]:
    """The metrics that a source file asks the table for, as patterns where a part is filled in."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if A_METRIC.fullmatch(node.value):
                yield re.compile(re.escape(node.value))
        elif isinstance(node, ast.JoinedStr):
            parts = [
                re.escape(v.value) if isinstance(v, ast.Constant) else r"\w+" for v in node.values
            ]
            text = "".join(map(str, parts))
            if A_METRIC.fullmatch(text.replace(r"\w+", "x")):
                yield re.compile(text)


def test_code_asks_for_what_is_in_the_table() -> None:
    """Every name of a metric in the code is one of the table."""
    asked = {(path.name, name.pattern) for path in sources() for name in spoken_of(path)}
    asked = {(path, name) for path, name in asked if not NO_METRICS.match(name)}
    labels = {label for label in LABELS if A_METRIC.fullmatch(label)}
    unknown = [
        (path, name)
        for path, name in asked
        if name not in labels and not any(re.fullmatch(name, known) for known in NAMES)
    ]
    assert unknown == []


def test_the_table_has_what_code_fills() -> None:
    """Nothing stands in the table that no code fills."""
    patterns = [
        name
        for path in sources()
        if path.name != "metrics.py" or path.parent.name == "addons"
        for name in spoken_of(path)
    ]
    table = (ROOT / "llmitm" / "metrics.py").read_text().partition("\n)  # fmt: skip\n\n#")[2]
    idle = [
        name
        for name in NAMES
        if f'"{name}"' not in table and not any(p.fullmatch(name) for p in patterns)
    ]
    assert idle == []


def test_the_page_has_the_table() -> None:
    """docs/metrics.md has a row for each metric, as `make dashboards` writes it."""
    page = PAGE.read_text()
    assert metrics_page.filled(page) == page, "run make dashboards"


def test_a_page_without_marks() -> None:
    """A page without its marks is not overwritten."""
    with pytest.raises(ValueError, match="lacks a line"):
        metrics_page.filled("# Metrics\n")


def test_the_page_explains_every_label() -> None:
    """docs/metrics.md says what the values of each label are."""
    explained = {
        name
        for line in PAGE.read_text().splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    plain = {"provider", "result", "version", "metric", "reason", "user", "team"}
    models = {label for label in LABELS if label.startswith("gen_ai_")}
    assert LABELS - explained - plain - models == set()


def documents() -> list[Path]:
    return [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CHANGELOG.md"]


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_documents_name_metrics_that_exist(path: Path) -> None:
    """A metric that a document speaks of is one of the table."""
    text = path.read_text() if path.is_file() else ""
    named = {name for name in A_METRIC.findall(text) if not NO_METRICS.match(name)}
    unknown = {
        name
        for name in named
        if name not in NAMES | LABELS
        and name not in known()
        and not any(other.startswith(f"{name}_") for other in NAMES)
    }
    assert unknown == set()


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_recorded_names(rule: dict[str, str]) -> None:
    """A recording rule is named level:metric:operation, of a metric that its expression uses."""
    if "record" in rule:
        level, metric, operation = rule["record"].split(":")
        assert level and operation
        assert metric in rule["expr"] or metric.replace("_failed", "") in rule["expr"]
