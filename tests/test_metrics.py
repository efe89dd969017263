"""The table of metrics: well formed, bounded, and live."""

from __future__ import annotations

import gc
import re
import tracemalloc

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from llmitm.metrics import MAX_SAMPLES, PROCESS, TABLE, Metrics
from llmitm.series import FOLDS, Spec

# Labels whose values are a closed list, or are bounded by a configuration that nobody writes
# thousands of lines for; all others have to give way when a metric's room runs out.
CLOSED = {"status", "cause", "dialect", "direction", "reason", "provider", "scope", "kind", "per",
          "result", "version", "metric", "user", "team", "gen_ai_operation_name",
          "gen_ai_provider_name", "error_type"}  # fmt: skip


def fill(metrics: Metrics, spec: Spec, number: int) -> None:
    """One update of a metric with label values that were not seen before."""
    child = metrics[spec.name].at(*(f"{label}-{number}" for label in spec.labels))
    if spec.kind == "histogram":
        child.observe(0.1)
    elif spec.kind == "counter":
        child.inc()
    else:
        child.set(1)


@pytest.mark.parametrize("spec", TABLE, ids=lambda spec: spec.name)
def test_names(spec: Spec) -> None:
    """Names follow Prometheus's rules: only counters end in _total, help is a sentence."""
    assert re.fullmatch(r"(llmitm|llm_circuit_breaker|gen_ai)_[a-z_]+[a-z]", spec.name)
    assert spec.name.endswith("_total") == (spec.kind == "counter")
    assert spec.help.endswith((".", ")."))
    assert len(set(spec.labels)) == len(spec.labels)
    assert bool(spec.buckets) == (spec.kind == "histogram")
    assert list(spec.buckets) == sorted(spec.buckets)


def test_names_are_unique() -> None:
    """No metric stands in the table twice."""
    assert len({spec.name for spec in TABLE}) == len(TABLE)


def test_exposition_has_the_table_only() -> None:
    """/metrics shows the table's metrics and the process's, and nothing else."""
    metrics = Metrics()
    text = generate_latest(metrics.registry).decode()
    shown = {family.name for family in text_string_to_metric_families(text)}
    wanted = {spec.name.removesuffix("_total") for spec in TABLE}
    assert wanted <= shown
    assert shown - wanted <= {name.removesuffix("_total") for name in PROCESS}


def test_shared_store_is_up_until_found_down() -> None:
    """Without a shared store there is none that could be down."""
    assert metrics_lines(Metrics())["llmitm_shared_store_up"] == 1


def test_target_counters_start_at_zero() -> None:
    """A target shows all its counters before anything happens, or rates miss the first."""
    metrics = Metrics()
    metrics.begin_target("openai/gpt-4o")
    lines = metrics_lines(metrics)
    assert lines['llm_circuit_breaker_failures_total{target="openai/gpt-4o"}'] == 0
    change = '{from="closed",target="openai/gpt-4o",to="open"}'
    assert lines[f"llm_circuit_breaker_state_changes_total{change}"] == 0
    assert lines['llm_circuit_breaker_state{target="openai/gpt-4o"}'] == 0


def test_read_replaces_the_live_metric() -> None:
    """A metric that is read at scrape time shows what it reads, under its name of the table."""
    value: dict[tuple[str, ...], float] = {(): 3.0}
    metrics = Metrics()
    metrics.read("llmitm_ledger_spool_records", lambda: value)
    assert metrics_lines(metrics)["llmitm_ledger_spool_records"] == 3
    value[()] = 4
    assert metrics_lines(metrics)["llmitm_ledger_spool_records"] == 4


def test_ten_thousand_names_stay_within_the_bound() -> None:
    """10,000 distinct keys, models, targets and routes grow no metric past its bound.

    Nor does what is remembered of them: 300 more take no more memory.
    """
    metrics = Metrics()
    for number in range(10_000):
        for spec in TABLE:
            fill(metrics, spec, number)
    gc.collect()
    tracemalloc.start()
    for number in range(10_000, 10_300):
        for spec in TABLE:
            fill(metrics, spec, number)
    gc.collect()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 20_000
    counts: dict[str, int] = {}
    for family in metrics.registry.collect():
        counts[family.name] = len(family.samples)
    assert max(counts.values()) <= MAX_SAMPLES
    total = sum(counts[spec.name.removesuffix("_total")] for spec in TABLE)
    assert total <= sum(max(spec.samples, MAX_SAMPLES * bool(spec.labels)) for spec in TABLE)


def test_folding_is_counted() -> None:
    """Operators see which metric ran out of room."""
    metrics = Metrics(max_samples=100)
    for number in range(200):
        metrics["llmitm_retries_total"].at(f"target-{number}").inc()
    line = 'llmitm_metrics_folded_total{metric="llmitm_retries_total"}'
    assert metrics_lines(metrics)[line] >= 100


def test_open_labels_fold() -> None:
    """Every label that grows with clients is one that is given up when room runs out."""
    folded = {label for _, labels in FOLDS for label in labels}
    assert folded == {label for spec in TABLE for label in spec.labels} - CLOSED


def metrics_lines(metrics: Metrics) -> dict[str, float]:
    """The exposition as name{labels} -> value."""
    lines = generate_latest(metrics.registry).decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}
