"""NeuroGate's metric names for the gateway's own numbers, read at scrape time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from llmitm.call import Call
from llmitm.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Alias:
    """One metric under another name. `labels` are renamed; `only` picks label sets."""

    name: str
    source: str
    labels: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, str] = field(default_factory=dict)

    def of(self, family: Metric) -> Metric:
        """The family, renamed."""
        ours, theirs = _stem(self.source), _stem(self.name)
        renamed = Metric(theirs, f"The same as {self.source}.", family.type)
        for sample in family.samples:
            if all(sample.labels.get(label) == value for label, value in self.only.items()):
                labels = {
                    self.labels.get(label, label): value
                    for label, value in sample.labels.items()
                    if label not in self.only
                }
                renamed.add_sample(theirs + sample.name[len(ours) :], labels, sample.value)
        return renamed


TARGET = {"target": "worker"}
ALIASES = (
    Alias("neurogate_gateway_requests_total", "llmitm_requests_total", TARGET),
    Alias("neurogate_gateway_request_duration_seconds", "llmitm_request_duration_seconds"),
    Alias("neurogate_gateway_circuit_breaker_state", "llm_circuit_breaker_state", TARGET),
    Alias(
        "neurogate_worker_inference_duration_seconds",
        "gen_ai_client_inference_duration_seconds",
        {
            "gen_ai_provider_name": "worker",
            "gen_ai_request_model": "model",
            "gen_ai_operation_name": "operation",
        },
    ),
    Alias(
        "neurogate_worker_tokens_generated_total",
        "llmitm_tokens_total",
        TARGET,
        {"direction": "output"},
    ),
)
SPEED = "neurogate_worker_tokens_per_second"


class Aliases(Collector):
    """Reads the metrics of `table` under their other names."""

    def __init__(self, table: Metrics) -> None:
        self._table = table
        self._speeds: dict[str, float] = {}

    def learn(self, call: Call) -> None:
        """Take over how fast a target wrote its newest answer."""
        attempt, usage = call.answered_by, call.usage
        if attempt is None or usage is None or not usage.completion_tokens:
            return
        begun = attempt.first_token if call.stream else None
        seconds = (attempt.ended or attempt.started) - (begun or attempt.started)
        if seconds > 0:
            self._speeds[attempt.target.name] = usage.completion_tokens / seconds

    def collect(self) -> Iterator[Metric]:
        for alias in ALIASES:
            for family in self._table[alias.source].metric.collect():
                yield alias.of(family)
        speed = GaugeMetricFamily(
            SPEED, "Tokens per second of the newest answer.", labels=["worker"]
        )
        for worker, value in self._speeds.copy().items():
            speed.add_metric([worker], value)
        yield speed


def _stem(name: str) -> str:
    return name.removesuffix("_total")
