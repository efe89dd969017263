"""Every metric of the gateway, in one table, with bounded label values.

The `gen_ai_*` names follow the OpenTelemetry semantic conventions for generative AI in
Prometheus spelling; the `llm_circuit_breaker_*` names are kept for dashboards that know them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics

from llmitm.policy.breaker import State
from llmitm.series import Names, Reading, Readings, Series, Spec

MAX_SAMPLES = 4000  # of each metric
MAX_MODELS = 200  # names of models that clients may bring into label values

_DURATION = tuple(0.01 * 2**n for n in range(14))  # 10 ms … 81.92 s
_WHOLE_CALL = tuple(0.01 * 2**n for n in range(17))  # … 655.36 s, past the usual total timeout
_FIRST_TOKEN = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip
_OVERHEAD = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
_TOKENS = tuple(float(4**n) for n in range(14))
_TOKEN_RATE = (1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0)
_MODEL = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")

TABLE: tuple[Spec, ...] = (
    Spec("llmitm_requests_total", "counter", "Calls that ended, by HTTP status sent to the client.",
         ("route", "target", "status", "key")),
    Spec("llmitm_errors_total", "counter", "Calls that failed or were refused, by cause.",
         ("cause", "dialect")),
    Spec("llmitm_request_duration_seconds", "histogram",
         "From accept to the last byte sent.", ("route",), _WHOLE_CALL),
    Spec("llmitm_overhead_seconds", "histogram",
         "The gateway's own share of the time to the first byte.", (), _OVERHEAD),
    Spec("llmitm_time_to_first_token_seconds", "histogram",
         "From accept to the first content token.", ("target",), _FIRST_TOKEN),
    Spec("llmitm_tokens_per_second", "histogram",
         "Output tokens per second after the first token.", ("target",), _TOKEN_RATE),
    Spec("llmitm_tokens_total", "counter",
         "Tokens by direction: input, cached (a part of input), output, reasoning (a part of it).",
         ("direction", "target")),
    Spec("llmitm_cost_usd_total", "counter", "Cost of answered calls in USD.", ("target", "key")),
    Spec("llmitm_in_flight", "gauge", "Calls being handled now."),
    Spec("llmitm_retries_total", "counter", "Attempts on the same target after a failure.",
         ("target",)),
    Spec("llmitm_failovers_total", "counter", "Moves from one target to another within a call.",
         ("from", "to", "reason")),
    Spec("llmitm_upstream_auth_failures_total", "counter",
         "Answers 401, 402 or 403 to the gateway's own credential.", ("provider",)),
    Spec("llmitm_provider_up", "gauge",
         "1 while a provider answers its health checks.", ("provider",), across="min"),
    Spec("llmitm_health_checks_total", "counter",
         "Health checks by result: success or failure.", ("provider", "result")),
    Spec("llmitm_cache_total", "counter",
         "Calls on routes with a cache: hit, miss, or bypass where the client said so.",
         ("result",)),
    Spec("llmitm_rate_limited_total", "counter", "Calls refused by a limit.", ("scope", "kind")),
    Spec("llmitm_budget_remaining_usd", "gauge", "What is left of a budget in its window.",
         ("scope", "id", "per"), across="latest"),
    Spec("llmitm_budget_warnings_total", "counter", "Budgets that reached their warn_at.",
         ("scope", "id", "per")),
    Spec("llmitm_budget_limit_usd", "gauge", "What a budget allows in its window.",
         ("scope", "id", "per"), across="latest"),
    Spec("llmitm_ledger_spool_records", "gauge", "Ended calls that the ledger doesn't hold yet."),
    Spec("llmitm_ledger_up", "gauge", "1 while the ledger's database takes writes.",
         across="min"),
    Spec("llmitm_ledger_dropped_total", "counter", "Calls lost because the spool was full."),
    Spec("llmitm_shared_store_up", "gauge",
         "1 while the shared store answers; 0 means local limits.", across="min"),
    Spec("llmitm_config_reloads_total", "counter", "Policy reloads.", ("result",)),
    Spec("llmitm_key_info", "gauge", "1; who a key belongs to, to join by `key`.",
         ("key", "user", "team"), across="max"),
    Spec("llmitm_build_info", "gauge", "1; the version that runs.", ("version",),
         across="max"),
    Spec("llmitm_workers_ready", "gauge", "Processes that accept calls."),
    Spec("llmitm_worker_restarts_total", "counter", "Workers started in the place of dead ones."),
    Spec("llmitm_metrics_folded_total", "counter",
         "Updates counted under \"other\" because a metric had no room for more label sets.",
         ("metric",)),
    Spec("llm_circuit_breaker_state", "gauge", "0 closed, 1 open, 2 half-open.", ("target",),
         across="circuit"),
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
         (*_MODEL, "error_type"), _DURATION),
    Spec("gen_ai_client_inference_usage_input_tokens", "histogram",
         "Input tokens per call (gen_ai.client.inference.usage.input_tokens).",
         _MODEL, _TOKENS),
    Spec("gen_ai_client_inference_usage_output_tokens", "histogram",
         "Output tokens per call (gen_ai.client.inference.usage.output_tokens).",
         _MODEL, _TOKENS),
    Spec("gen_ai_client_inference_time_to_first_chunk_seconds", "histogram",
         "Time to the first chunk of a stream (gen_ai.client.inference.time_to_first_chunk).",
         _MODEL, _FIRST_TOKEN),
)  # fmt: skip

# What the Prometheus client says of the process itself; on Linux only.
PROCESS = (
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
)

_TARGET_COUNTERS = (
    "llm_circuit_breaker_failures_total",
    "llm_circuit_breaker_successes_total",
    "llm_circuit_breaker_requests_blocked_total",
    "llm_circuit_breaker_half_open_requests_total",
    "llm_circuit_breaker_slow_calls_total",
    "llmitm_retries_total",
)
_TRANSITIONS = (
    (State.CLOSED, State.OPEN),
    (State.OPEN, State.HALF_OPEN),
    (State.HALF_OPEN, State.OPEN),
    (State.HALF_OPEN, State.CLOSED),
    (State.OPEN, State.CLOSED),
)

_FOLDED = "llmitm_metrics_folded_total"

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second line for each counter


class Metrics:
    """The table as live metrics in a registry of their own."""

    def __init__(self, max_samples: int = MAX_SAMPLES, max_models: int = MAX_MODELS) -> None:
        self.registry = CollectorRegistry()
        self.models = Names(max_models)  # as provider/model
        self._max_samples = max_samples
        self._specs = {spec.name: spec for spec in TABLE}
        self._series = {spec.name: self._live(spec) for spec in TABLE}
        ProcessCollector(registry=self.registry)
        self["llmitm_shared_store_up"].at().set(1)  # until someone finds it down

    def __getitem__(self, name: str) -> Series:
        return self._series[name]

    def read(self, name: str, read: Callable[[], Readings]) -> None:
        """Take a metric's values from `read` at each scrape: its labels' values -> its value.

        `read` is called by another thread. It gives {(): value} for a metric without labels.
        """
        self.registry.unregister(self._series.pop(name).metric)
        self.registry.register(Reading(self._specs[name], read, self._max_samples))

    @property
    def series(self) -> Iterable[Series]:
        """The metrics whose values are kept here rather than read at each scrape."""
        return self._series.values()

    def begin_target(self, target: str) -> None:
        """Show a target's counters from 0 on: a first increase from nothing is not seen."""
        self["llm_circuit_breaker_state"].at(target).set(0)
        for name in _TARGET_COUNTERS:
            self[name].at(target)
        for before, after in _TRANSITIONS:
            self["llm_circuit_breaker_state_changes_total"].at(target, before, after)

    def _live(self, spec: Spec) -> Series:
        def folded() -> None:
            if spec.name != _FOLDED:
                self[_FOLDED].at(spec.name).inc()

        return Series(spec, self.registry, self._max_samples, folded)
