"""What changed in a process's metrics since it was last asked."""

from __future__ import annotations

import pytest
from prometheus_client import Counter, Gauge, Histogram, generate_latest

from llmitm.metrics import Metrics
from llmitm.workers.channel import Labels, Report
from llmitm.workers.readings import Readings
from llmitm.workers.totals import Tally, Totals, registry_of


def begun() -> tuple[Metrics, Readings]:
    """Metrics, all of which were reported already."""
    metrics = Metrics()
    readings = Readings(metrics.registry, lambda: metrics.series)
    readings.everything()
    return metrics, readings


def values(report: Report) -> dict[Labels, tuple[float, ...]]:
    return {row.labels: row.values for row in report.rows}


def test_only_what_changed() -> None:
    """A report has the label sets that changed since the last one, and no others."""
    metrics, readings = begun()
    assert readings.live().rows == []
    metrics["llmitm_retries_total"].at("openai/gpt").inc()
    metrics["llmitm_retries_total"].at("local/llama")
    assert values(readings.live()) == {
        (("target", "openai/gpt"),): (1.0,),
        (("target", "local/llama"),): (0.0,),
    }
    assert readings.live().rows == []
    metrics["llmitm_retries_total"].at("local/llama").inc(2)
    assert values(readings.live()) == {(("target", "local/llama"),): (2.0,)}


def test_histograms() -> None:
    """A histogram's values are its buckets, each with those below it, its count and its sum."""
    metrics, readings = begun()
    metrics["llmitm_overhead_seconds"].at().observe(0.0002)
    metrics["llmitm_overhead_seconds"].at().observe(0.2)
    [row] = readings.live().rows
    assert row.values[:3] == (0.0, 1.0, 1.0)
    assert row.values[-4:] == pytest.approx((2.0, 2.0, 2.0, 0.2002))


def test_families_are_described_once() -> None:
    """Each metric is described in the first report, and rows refer to that by number."""
    metrics = Metrics()
    readings = Readings(metrics.registry, lambda: metrics.series)
    families = readings.live().families
    assert {"llmitm_requests", "llm_circuit_breaker_state"} <= {f.name for f in families}
    metrics["llm_circuit_breaker_state"].at("sim/a").set(2)
    report = readings.live()
    assert report.families == []
    assert families[report.rows[0].family].across == "circuit"


def test_what_is_read_when_asked() -> None:
    """Values that are worked out at each scrape are in full reports only, and leave with them."""
    metrics, readings = begun()
    known: dict[tuple[str, ...], float] = {("dev", "ava", ""): 1.0, ("ci", "", "ops"): 1.0}
    metrics.read("llmitm_key_info", lambda: known)
    assert readings.live().rows == []
    report = readings.everything(answers=3)
    keys = {row.labels[0][1] for row in report.rows if row.labels and row.labels[0][0] == "key"}
    assert keys == {"dev", "ci"}
    assert report.answers == 3
    known.pop(("ci", "", "ops"))
    [(_, labels)] = readings.everything().gone
    assert dict(labels)["key"] == "ci"
    assert readings.everything().gone == []


def test_an_addons_own_metrics() -> None:
    """What a user's addon registers is reported, of whatever kind it is."""
    metrics, readings = begun()
    Counter("mine", "Mine.", ["who"], registry=metrics.registry).labels("me").inc(3)
    Gauge("level", "Level.", registry=metrics.registry).set(7)
    Histogram("size", "Size.", registry=metrics.registry, buckets=(1, 2)).observe(1.5)
    report = readings.everything()
    found = {family.name: family for family in report.families}
    assert found["size"].shape[1] == ("_bucket", "2.0")
    sizes = {row.values for row in report.rows}
    assert {(3.0,), (7.0,), (0.0, 1.0, 1.0, 1.0, 1.5)} <= sizes


def test_same_as_the_library() -> None:
    """One process's report is rendered as the library renders its registry."""
    metrics = Metrics()
    readings = Readings(metrics.registry, lambda: metrics.series)
    metrics.begin_target("sim/a")
    metrics["llmitm_requests_total"].at("r", "t", "200", "k").inc()
    metrics["llmitm_request_duration_seconds"].at("r").observe(0.3)
    tally = Tally()
    tally.take(readings.everything())
    rendered = generate_latest(registry_of(Totals().metrics([tally])))
    assert lines(rendered) == lines(generate_latest(metrics.registry))


def lines(text: bytes) -> list[str]:
    return sorted(line for line in text.decode().splitlines() if "process_" not in line)
