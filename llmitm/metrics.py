"""Every metric of the gateway, in one table, with bounded label values.

The `gen_ai_*` names follow the OpenTelemetry semantic conventions for generative AI in
Prometheus spelling; the `llm_circuit_breaker_*` names are kept for dashboards that know them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.registry import Collector

OTHER = "other"
MAX_SERIES = 1000  # label sets per metric; further ones are counted under "other"

_DURATION = tuple(0.01 * 2**n for n in range(14))  # 10 ms … 81.92 s
_FIRST_TOKEN = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip
_OVERHEAD = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
_TOKENS = tuple(float(4**n) for n in range(14))
_TOKEN_RATE = (1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0)


@dataclass(frozen=True, slots=True)
class Spec:
    """One metric: `name` as Prometheus shows it, `help` as the documentation does."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


TABLE: tuple[Spec, ...] = (
    Spec("llmitm_requests_total", "counter", "Calls that ended, by HTTP status sent to the client.",
         ("route", "target", "status", "key")),
    Spec("llmitm_errors_total", "counter", "Calls that failed or were refused, by cause.",
         ("cause", "dialect")),
    Spec("llmitm_request_duration_seconds", "histogram",
         "From accept to the last byte sent.", ("route",), _DURATION),
    Spec("llmitm_overhead_seconds", "histogram",
         "The gateway's own share of the time to the first byte.", (), _OVERHEAD),
    Spec("llmitm_time_to_first_token_seconds", "histogram",
         "From accept to the first content token.", ("target",), _FIRST_TOKEN),
    Spec("llmitm_tokens_per_second", "histogram",
         "Output tokens per second after the first token.", ("target",), _TOKEN_RATE),
    Spec("llmitm_tokens_total", "counter", "Tokens by direction: input, cached, output, reasoning.",
         ("direction", "target")),
    Spec("llmitm_cost_usd_total", "counter", "Cost of answered calls in USD.", ("target", "key")),
    Spec("llmitm_in_flight", "gauge", "Calls being handled now."),
    Spec("llmitm_retries_total", "counter", "Attempts on the same target after a failure.",
         ("target",)),
    Spec("llmitm_failovers_total", "counter", "Moves from one target to another within a call.",
         ("from", "to", "reason")),
    Spec("llmitm_upstream_auth_failures_total", "counter",
         "Answers 401, 402 or 403 to the gateway's own credential.", ("provider",)),
    Spec("llmitm_rate_limited_total", "counter", "Calls refused by a limit.", ("scope", "kind")),
    Spec("llmitm_budget_remaining_usd", "gauge", "What is left of a budget in its window.",
         ("scope", "id", "per")),
    Spec("llmitm_budget_warnings_total", "counter", "Budgets that reached their warn_at.",
         ("scope", "id", "per")),
    Spec("llmitm_ledger_spool_records", "gauge", "Ended calls that the ledger doesn't hold yet."),
    Spec("llmitm_ledger_up", "gauge", "1 while the ledger's database takes writes."),
    Spec("llmitm_ledger_dropped_total", "counter", "Calls lost because the spool was full."),
    Spec("llmitm_shared_store_up", "gauge",
         "1 while the shared store answers; 0 means local limits."),
    Spec("llmitm_config_reloads_total", "counter", "Policy reloads.", ("result",)),
    Spec("llm_circuit_breaker_state", "gauge", "0 closed, 1 open, 2 half-open.", ("target",)),
    Spec("llm_circuit_breaker_failures_total", "counter",
         "Attempts that counted as failures.", ("target",)),
    Spec("llm_circuit_breaker_successes_total", "counter",
         "Attempts that counted as successes.", ("target",)),
    Spec("llm_circuit_breaker_requests_blocked_total", "counter",
         "Attempts that an open circuit kept away.", ("target",)),
    Spec("llm_circuit_breaker_half_open_requests_total", "counter",
         "Probes sent while half-open.", ("target",)),
    Spec("llm_circuit_breaker_slow_calls_total", "counter",
         "Attempts slower than slow_call.", ("target",)),
    Spec("llm_circuit_breaker_state_changes_total", "counter",
         "Changes of state.", ("target", "from", "to")),
    Spec("llm_circuit_breaker_call_duration_seconds", "histogram",
         "Duration of attempts by result: success or failure.", ("target", "result"), _DURATION),
    Spec("gen_ai_client_inference_duration_seconds", "histogram",
         "Duration of attempts (gen_ai.client.inference.duration).",
         ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "error_type"),
         _DURATION),
    Spec("gen_ai_client_inference_usage_input_tokens", "histogram",
         "Input tokens per call (gen_ai.client.inference.usage.input_tokens).",
         ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"), _TOKENS),
    Spec("gen_ai_client_inference_usage_output_tokens", "histogram",
         "Output tokens per call (gen_ai.client.inference.usage.output_tokens).",
         ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"), _TOKENS),
    Spec("gen_ai_client_inference_time_to_first_chunk_seconds", "histogram",
         "Time to the first chunk of a stream (gen_ai.client.inference.time_to_first_chunk).",
         ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"), _FIRST_TOKEN),
)  # fmt: skip

_KINDS = {"counter": Counter, "gauge": Gauge, "histogram": Histogram}


class Series:
    """One metric. `at(*labels)` is a cached child: looking it up costs a dict access."""

    def __init__(self, spec: Spec, registry: CollectorRegistry, max_series: int) -> None:
        extra: dict[str, Any] = {"buckets": spec.buckets} if spec.buckets else {}
        self._metric: Any = _KINDS[spec.kind](
            spec.name, spec.help, spec.labels, registry=registry, **extra
        )
        self._max = max_series
        self._children: dict[tuple[str, ...], Any] = {}

    def at(self, *labels: str) -> Any:
        """The child for `labels`, in the order of the table; past the bound, the "other" child."""
        child = self._children.get(labels)
        if child is None:
            child = self._child(labels)
        return child

    def _child(self, labels: tuple[str, ...]) -> Any:
        if not labels:
            child = self._metric
        elif len(self._children) < self._max:
            child = self._metric.labels(*labels)
        else:
            # Not cached under its own labels: the cache is bounded too.
            return self._metric.labels(*(OTHER for _ in labels))
        self._children[labels] = child
        return child

    def clear(self) -> None:
        self._children.clear()
        self._metric.clear()


class Metrics:
    """The table as live metrics in a registry of their own."""

    def __init__(self, max_series: int = MAX_SERIES) -> None:
        self.registry = CollectorRegistry()
        self._series = {s.name: Series(s, self.registry, max_series) for s in TABLE}

    def __getitem__(self, name: str) -> Series:
        return self._series[name]

    def collect_from(self, collector: Collector) -> None:
        """Add a collector that is read at scrape time, for values that exist anyway."""
        self.registry.register(collector)


def names() -> Iterator[str]:
    return (spec.name for spec in TABLE)
