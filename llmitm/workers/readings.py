"""What changed in a process's metrics since it was last asked, for whoever adds them up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import inf
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.utils import floatToGoString

from llmitm.metrics import TABLE
from llmitm.series import Series
from llmitm.workers.channel import Family, Labels, Report, Row

# How gauges become one; of the client library's own, those that are not to be summed.
_ACROSS: dict[str, str] = {
    "process_start_time_seconds": "min",
    "process_max_fds": "min",
    **{spec.name: spec.across for spec in TABLE},
}

_Values = tuple[float, ...]
_Key = tuple[int, Labels]


class Readings:
    """Reads a registry. `series` are its live metrics, which can be read quickly and often."""

    def __init__(
        self, registry: CollectorRegistry, series: Callable[[], Iterable[Series]] = tuple
    ) -> None:
        self._registry = registry
        self._series = series
        self._families: dict[Family, int] = {}
        self._described: dict[Series, int] = {}
        self._announced = 0
        self._seen: dict[_Key, _Values] = {}
        self._others: set[_Key] = set()

    def live(self) -> Report:
        """What changed in the series."""
        return self._report(self._of_series())

    def everything(self, answers: int = 0) -> Report:
        """What changed in the series and in all that is worked out only when it is asked for."""
        others = list(self._of_others())
        present = {key for key, _ in others}
        gone = list(self._others - present)
        for key in gone:
            del self._seen[key]
        self._others = present
        return self._report([*self._of_series(), *others], gone, answers)

    def _report(
        self,
        readings: Iterable[tuple[_Key, _Values]],
        gone: list[_Key] | None = None,
        answers: int = 0,
    ) -> Report:
        rows = []
        for key, values in readings:
            if self._seen.get(key) != values:
                self._seen[key] = values
                rows.append(Row(*key, values))
        new = list(self._families)[self._announced :]
        self._announced = len(self._families)
        return Report(families=new, rows=rows, gone=gone or [], answers=answers)

    def _of_series(self) -> Iterator[tuple[_Key, _Values]]:
        for series in self._series():
            spec = series.spec
            read = _histogram if spec.kind == "histogram" else _plain
            children = series.children.items() if spec.labels else [((), series.metric)]
            family = self._described.get(series)
            if family is None:
                family = self._described[series] = self._family(_described(series))
            for values, child in list(children):
                yield (family, tuple(zip(spec.labels, values, strict=True))), read(child)

    def _of_others(self) -> Iterator[tuple[_Key, _Values]]:
        own = {series.metric for series in self._series()}
        # The registry's own collect() would walk the series too, at a hundred times the cost.
        collectors = [c for c in list(self._registry._collector_to_names) if c not in own]
        for collector in collectors:
            for metric in collector.collect():
                for labels, shape, values in _grouped(metric):
                    yield (self._family(_family(metric, shape)), labels), values

    def _family(self, family: Family) -> int:
        return self._families.setdefault(family, len(self._families))


def _described(series: Series) -> Family:
    """The shape is that of the library's samples, in their order."""
    spec = series.spec
    parts: list[tuple[str, str]] = [("_total" if spec.kind == "counter" else "", "")]
    if spec.kind == "histogram":
        bounds = (floatToGoString(bound) for bound in (*spec.buckets, inf))  # type: ignore[no-untyped-call]
        parts = [("_bucket", bound) for bound in bounds]
        parts += [("_count", ""), ("_sum", "")]
    return _family(series.metric._get_metric(), tuple(parts))


def _family(metric: Metric, shape: tuple[tuple[str, str], ...]) -> Family:
    across = _ACROSS.get(metric.name, "sum")
    return Family(metric.name, metric.type, metric.documentation, across, shape)


# The library gives samples as dictionaries, at microseconds each; these read the numbers alone.


def _plain(child: Any) -> _Values:
    return (child._value.get(),)


def _histogram(child: Any) -> _Values:
    """As `_described` says: the buckets, each with those below it; count; sum."""
    count, values = 0.0, []
    for bucket in child._buckets:
        count += bucket.get()
        values.append(count)
    return (*values, count, child._sum.get())


def _grouped(metric: Metric) -> Iterator[tuple[Labels, tuple[tuple[str, str], ...], _Values]]:
    """The samples of each label set together: its labels, what each value is, the values."""
    groups: dict[Labels, dict[tuple[str, str], float]] = {}
    for sample in metric.samples:
        if not sample.name.endswith("_created"):
            labels = tuple((k, v) for k, v in sample.labels.items() if k != "le")
            part = sample.name.removeprefix(metric.name), sample.labels.get("le", "")
            groups.setdefault(labels, {})[part] = float(sample.value)
    for labels, parts in groups.items():
        yield labels, tuple(parts), tuple(parts.values())
