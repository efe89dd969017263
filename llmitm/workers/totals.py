"""The metrics of all workers as those of one gateway, whichever of them died on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import count

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from llmitm.workers.channel import Family, Labels, Report

_GROWING = ("counter", "histogram", "summary")
_CIRCUIT = (0.0, 2.0, 1.0)  # closed, half-open, open: from good to bad

_Key = tuple[Family, Labels]
_Values = tuple[float, ...]


def _worst_circuit(states: Sequence[float]) -> float:
    return max(states, key=_CIRCUIT.index)


def _latest(values: Sequence[float]) -> float:
    return values[-1]


# Given the values of all workers, the one that changed last at the end.
ACROSS: dict[str, Callable[[Sequence[float]], float]] = {
    "sum": sum,
    "min": min,
    "max": max,
    "latest": _latest,
    "circuit": _worst_circuit,
}

_clock = count()


class Tally:
    """What one process has reported so far."""

    def __init__(self) -> None:
        self.families: list[Family] = []
        self.rows: dict[_Key, tuple[int, _Values]] = {}

    def take(self, report: Report) -> None:
        """Take over what changed."""
        self.families.extend(report.families)
        for row in report.rows:
            self.rows[self.families[row.family], row.labels] = next(_clock), row.values
        for family, labels in report.gone:
            self.rows.pop((self.families[family], labels), None)


class Totals:
    """Adds up. What grows never shrinks: the last values of ended processes stay in the sums."""

    def __init__(self) -> None:
        self._ended: dict[_Key, _Values] = {}

    def retire(self, tally: Tally) -> None:
        """A process has ended and reports nothing any more."""
        for key, (_, values) in tally.rows.items():
            if key[0].kind in _GROWING:
                self._ended[key] = _sums([values, self._ended.get(key)])

    def metrics(self, running: Iterable[Tally]) -> list[Metric]:
        """The metrics of the gateway, by name."""
        rows: dict[_Key, list[tuple[int, _Values]]] = {
            key: [(-1, values)] for key, values in self._ended.items()
        }
        found: dict[str, Metric] = {}
        for tally in running:
            for family in tally.families:
                found.setdefault(family.name, Metric(family.name, family.help, family.kind))
            for key, row in tally.rows.items():
                rows.setdefault(key, []).append(row)
        for key, parts in rows.items():
            _add(found, key, _across(key[0], sorted(parts)))
        return [metric for _, metric in sorted(found.items())]


class Snapshot(Collector):
    """Metrics that were worked out before, for the library to render."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def registry_of(metrics: Iterable[Metric]) -> CollectorRegistry:
    """A registry that holds these metrics and nothing else."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Snapshot(metrics))
    return registry


def _across(family: Family, parts: Sequence[tuple[int, _Values]]) -> _Values:
    values = [values for _, values in parts]
    if family.kind in _GROWING:
        return _sums(values)
    merge = ACROSS[family.across]
    return tuple(merge(column) for column in zip(*values, strict=True))


def _sums(rows: Iterable[_Values | None]) -> _Values:
    return tuple(map(sum, zip(*(row for row in rows if row is not None), strict=True)))


def _add(found: dict[str, Metric], key: _Key, values: _Values) -> None:
    family, labels = key
    metric = found.setdefault(family.name, Metric(family.name, family.help, family.kind))
    for (suffix, bound), value in zip(family.shape, values, strict=True):
        extra = {"le": bound} if bound else {}
        metric.add_sample(family.name + suffix, {**dict(labels), **extra}, value)
