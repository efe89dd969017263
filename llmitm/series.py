"""One metric as live series: cached children, and a bound on how many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

OTHER = "other"
MAX_NAME = 128  # characters of a label value that a client chose

# Labels whose values are many, in the order they are given up in as a metric's room runs out:
# the share of the room that may be taken before that, and the labels. All others are closed sets.
FOLDS: tuple[tuple[float, frozenset[str]], ...] = (
    (0.75, frozenset()),
    (0.9, frozenset({"key", "id"})),
    (1.0, frozenset({"key", "id", "target", "from", "to", "route", "gen_ai_request_model"})),
)

_KINDS = {"counter": Counter, "gauge": Gauge, "histogram": Histogram}

Readings = Mapping[tuple[str, ...], float]

# How a gauge's values in several workers become one: `latest` is the one that changed last,
# `circuit` the worst of a breaker's states. Counters and histograms are always summed.
Across = Literal["sum", "min", "max", "latest", "circuit"]


@dataclass(frozen=True, slots=True)
class Spec:
    """One metric: `name` as Prometheus shows it, `help` as the documentation does."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    across: Across = "sum"

    @property
    def samples(self) -> int:
        """How many samples one label set has: a histogram's are its buckets, +Inf, sum, count."""
        return len(self.buckets) + 3 if self.kind == "histogram" else 1

    def room(self, max_samples: int) -> int:
        """How many label sets fit in `max_samples`, the one where all are "other" included."""
        return max(1, max_samples // self.samples)


class Series:
    """One metric. `at(*labels)` is a cached child: looking it up costs a dict access."""

    def __init__(
        self, spec: Spec, registry: CollectorRegistry, max_samples: int, folded: Callable[[], None]
    ) -> None:
        extra: dict[str, Any] = {"buckets": spec.buckets} if spec.buckets else {}
        self.metric: Any = _KINDS[spec.kind](
            spec.name, spec.help, spec.labels, registry=registry, **extra
        )
        self.spec = spec
        self._room = spec.room(max_samples)
        self._folded = folded
        self._children: dict[tuple[str, ...], Any] = {}
        # Several gauges can't share one: past the bound their values go nowhere.
        self._nowhere = Gauge(spec.name, spec.help, registry=None)

    def at(self, *labels: str) -> Any:
        """The child for `labels`, in the order of the table; past the bound, a less exact one."""
        child = self._children.get(labels)
        return child if child is not None else self._child(labels)

    @property
    def children(self) -> Mapping[tuple[str, ...], Any]:
        """What there is so far, by the values of the labels."""
        return self._children

    def _child(self, labels: tuple[str, ...]) -> Any:
        if not labels:
            self._children[labels] = self.metric
            return self.metric
        for label_set, share in self._candidates(labels):
            child = self._children.get(label_set)
            if child is None and len(self._children) < share * (self._room - 1):
                child = self._children[label_set] = self.metric.labels(*label_set)
            if child is not None:
                return self._noted(child, label_set != labels)
        if self.spec.kind == "gauge":
            return self._noted(self._nowhere, True)
        return self._noted(self._rest(), True)

    def _rest(self) -> Any:
        """The child for what there is no room for at all."""
        labels = tuple(OTHER for _ in self.spec.labels)
        if labels not in self._children:
            self._children[labels] = self.metric.labels(*labels)
        return self._children[labels]

    def _candidates(self, labels: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], float]]:
        """What `labels` may be counted under, the exact ones first, with the share of the room."""
        yield labels, 1.0 if self.spec.kind == "gauge" else FOLDS[0][0]
        if self.spec.kind != "gauge":
            for share, given_up in FOLDS[1:]:
                pairs = zip(self.spec.labels, labels, strict=True)
                yield tuple(OTHER if name in given_up else value for name, value in pairs), share

    def _noted(self, child: Any, folded: bool) -> Any:
        if folded:
            self._folded()
        return child


class Reading(Collector):
    """A metric whose values exist anyway: they are read at each scrape, by another thread."""

    def __init__(self, spec: Spec, read: Callable[[], Readings], max_samples: int) -> None:
        self._spec = spec
        self._read = read
        self._room = spec.room(max_samples)

    def collect(self) -> Iterator[Metric]:
        spec = self._spec
        kind = CounterMetricFamily if spec.kind == "counter" else GaugeMetricFamily
        family = kind(spec.name, spec.help, labels=spec.labels)
        for labels, value in islice(self._read().items(), self._room):
            family.add_metric(labels, value)
        yield family


class Names:
    """Label values that clients choose: those that proved real, up to a bound."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def knows(self, name: str, *, real: bool) -> bool:
        """Whether `name` may be a label value; `real` says that something answered to it."""
        if name in self._known:
            return True
        if real and len(name) <= MAX_NAME and len(self._known) < self._most:
            self._known.add(name)
            return True
        return False
