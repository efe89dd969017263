"""Which metrics and labels a PromQL expression speaks of, and which there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import yaml
from promql_parser import (
    AggregateExpr,
    BinaryExpr,
    Call,
    MatrixSelector,
    ParenExpr,
    SubqueryExpr,
    UnaryExpr,
    VectorSelector,
)

from llmitm.metrics import PROCESS, TABLE
from llmitm.series import Spec

ROOT = Path(__file__).resolve().parent.parent.parent
PROMETHEUS = ROOT / "dashboards" / "prometheus"
# Prometheus itself adds these to whatever it scrapes.
SCRAPED = frozenset({"job", "instance"})


def parsed(expr: str) -> Any:
    """The expression's tree, what Grafana fills in filled in. Raises ValueError."""
    text = expr.replace("$__rate_interval", "5m").replace("$__range", "1h")
    return promql_parser.parse(text)


def shown(spec: Spec) -> dict[str, frozenset[str]]:
    """The names under which Prometheus stores a metric, and their labels."""
    labels = SCRAPED.union(spec.labels)
    if spec.kind != "histogram":
        return {spec.name: labels}
    counts = dict.fromkeys((f"{spec.name}_sum", f"{spec.name}_count"), labels)
    return {f"{spec.name}_bucket": labels | {"le"}, **counts}


def rules() -> list[dict[str, Any]]:
    """Every recording and alerting rule."""
    files = sorted((PROMETHEUS / "rules").glob("*.yml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def known() -> dict[str, frozenset[str]]:
    """Every name that may be asked for, and its labels."""
    metrics = {name: labels for spec in TABLE for name, labels in shown(spec).items()}
    others = dict.fromkeys(("up", *PROCESS), SCRAPED)
    recorded = {
        rule["record"]: frozenset(labels_of(parsed(rule["expr"])) - {"le"}) | SCRAPED
        for rule in rules()
        if "record" in rule
    }
    return {**metrics, **others, **recorded}


def children(node: Any) -> list[Any]:
    match node:
        case AggregateExpr():
            return [node.expr, *([node.param] if node.param else [])]
        case BinaryExpr():
            return [node.lhs, node.rhs]
        case Call():
            return list(node.args)
        case ParenExpr() | UnaryExpr() | SubqueryExpr():
            return [node.expr]
        case MatrixSelector():
            return [node.vector_selector]
    return []


def walk(node: Any) -> Iterator[Any]:
    yield node
    for child in children(node):
        yield from walk(child)


def selectors(node: Any) -> list[VectorSelector]:
    return [part for part in walk(node) if isinstance(part, VectorSelector)]


def labels_of(node: Any) -> set[str]:
    """The labels that aggregations and matchings between vectors name."""
    found: set[str] = set()
    for part in walk(node):
        modifier = getattr(part, "modifier", None)
        if isinstance(part, AggregateExpr) and modifier is not None:
            found |= set(modifier.labels)
        elif isinstance(part, BinaryExpr):
            found |= set(re.findall(r"\w+", _matching(part)))
    return found


def _matching(node: BinaryExpr) -> str:
    """The labels inside of on (…) and group_left (…), which the tree doesn't give apart."""
    modifier = node.modifier
    if modifier is None:
        return ""
    return " ".join(re.findall(r"(?:on|ignoring|group_left|group_right) \(([^)]*)\)", str(node)))


def faults(expr: str) -> list[str]:
    """What an expression asks for that there isn't: unknown metrics and labels."""
    tree, names = parsed(expr), known()
    found = []
    for selector in selectors(tree):
        if selector.name not in names:
            found.append(f"no metric {selector.name}")
            continue
        asked = {matcher.name for matcher in selector.matchers.matchers}
        found += [f"{selector.name} has no label {name}" for name in asked - names[selector.name]]
    for part in walk(tree):
        there = {"le"} if not selectors(part) else set()
        there |= {label for one in selectors(part) for label in names.get(one.name, frozenset())}
        used = labels_of(part) - there
        found += [f"no metric here has the label {name}" for name in used]
    return sorted(set(found))
