"""What a dashboard is made of."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

type Kind = Literal["stat", "lines", "stack", "states", "bars", "logs"]

# How far a rate looks back in a panel: chosen by Grafana from the scrape interval and the width.
RATE = "$__rate_interval"


@dataclass(frozen=True, slots=True)
class Query:
    """One query, PromQL or, in a panel of logs, LogQL. `legend` names a series by its labels."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `width` is of 24; `values` are words for numbers, `good` the one that is green."""

    title: str
    kind: Kind
    unit: str
    queries: tuple[Query, ...]
    width: int = 8
    about: str = ""
    values: dict[int, str] = field(default_factory=dict)
    good: int | None = None

    @property
    def height(self) -> int:
        return {"stat": 4, "logs": 9}.get(self.kind, 8)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a reader may narrow a dashboard down to: the values of a label of a metric."""

    name: str
    metric: str
    label: str


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard; `name` is its file's and part of its address."""

    name: str
    title: str
    about: str
    panels: tuple[Panel, ...]
    choices: tuple[Choice, ...] = ()


def filled(expr: str, window: str, span: str) -> str:
    """A query as Grafana sends it, with nothing narrowed down."""
    text = expr.replace(RATE, window).replace("$__range", span)
    return re.sub(r'"\$\w+"', '".*"', text)


def one(expr: str, legend: str = "") -> tuple[Query, ...]:
    return (Query(expr, legend),)


def quantiles(metric: str, where: str, *shares: float) -> tuple[Query, ...]:
    """Quantiles of a histogram over all its series."""
    return tuple(
        Query(
            f"histogram_quantile({share}, sum by (le) (rate({metric}_bucket{where}[{RATE}])))",
            f"P{share * 100:.0f}",
        )
        for share in shares
    )


def quantile_by(metric: str, where: str, share: float, *labels: str) -> tuple[Query, ...]:
    """One quantile of a histogram for each value of `labels`."""
    by = ", ".join((*labels, "le"))
    expr = f"histogram_quantile({share}, sum by ({by}) (rate({metric}_bucket{where}[{RATE}])))"
    return one(expr, " ".join(f"{{{{{label}}}}}" for label in labels))


BREAKER = Panel(
    "Circuit breaker states",
    "states",
    "short",
    one("max by (target) (llm_circuit_breaker_state)", "{{target}}"),
    width=12,
    about="The worst of all gateways. Half-open: a probe decides.",
    values={0: "closed", 1: "open", 2: "half-open"},
    good=0,
)
