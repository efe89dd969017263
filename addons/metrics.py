"""Counts what ended, from the frozen record of each call."""

from __future__ import annotations

from collections.abc import Iterator

from mitmproxy import http

from llmitm import __version__
from llmitm.call import Attempt, Call, CallRecord, call_of
from llmitm.errors import Cause
from llmitm.metrics import Metrics as Table
from llmitm.runtime import Runtime, runtime
from llmitm.series import OTHER, Readings

NONE = "none"
MAX_KEYS = 1000
DIALECTS = ("openai", "anthropic", "ollama")


class Metrics:
    def __init__(self) -> None:
        self._owners: dict[str, tuple[str, str]] = {}  # key -> user, team

    def running(self) -> None:
        live = runtime()
        read_at_scrape(live)
        live.metrics.read("llmitm_key_info", self.owners)
        live.metrics["llmitm_build_info"].at(__version__).set(1)
        begin(live)

    def owners(self) -> Readings:
        return {(key, *owner): 1.0 for key, owner in self._owners.copy().items()}

    def upstream_response(self, flow: http.HTTPFlow, attempt: Attempt) -> None:
        count_attempt(runtime().metrics, call_of(flow).operation, attempt)

    def call_end(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        record = call.record
        if record is None:
            return
        count(runtime().metrics, record, target_of(runtime().metrics, call))
        if record.key and (record.key in self._owners or len(self._owners) < MAX_KEYS):
            self._owners[record.key] = record.user or NONE, record.team or NONE


def read_at_scrape(live: Runtime) -> None:
    """What is known anyway is read when someone asks."""
    calls, ledger, table = live.lifecycle, live.ledger, live.metrics
    if calls is not None:
        table.read("llmitm_in_flight", lambda: {(): calls.in_flight})
    table.read("llmitm_ledger_spool_records", lambda: {(): ledger.spool_records})
    table.read("llmitm_ledger_up", lambda: {(): ledger.healthy})
    table.read("llmitm_ledger_dropped_total", lambda: {(): ledger.dropped})


def begin(live: Runtime) -> None:
    """Show counters whose labels are known from 0 on: a first increase from nothing is not seen."""
    for provider in live.gateway.providers:
        live.metrics["llmitm_upstream_auth_failures_total"].at(provider)
    for result in ("hit", "miss", "bypass"):
        live.metrics["llmitm_cache_total"].at(result)
    for result in ("success", "failure"):
        live.metrics["llmitm_config_reloads_total"].at(result)
    for dialect in DIALECTS:
        for cause in Cause:
            live.metrics["llmitm_errors_total"].at(cause.value, dialect)


def model_label(table: Table, attempt: Attempt, *, real: bool) -> str:
    """The attempt's model, or "other" for one that only the client speaks of."""
    known = attempt.target.model != "*" or real
    return attempt.model if table.models.knows(_name(attempt), real=known) else OTHER


def target_of(table: Table, call: Call) -> str:
    """The label of the target that was asked last, as logs name it."""
    if not call.attempts:
        return call.answering or NONE
    last = call.attempts[-1]
    model = model_label(table, last, real=call.error is None and call.status < 400)
    return f"{last.target.provider}/{model}"


def _name(attempt: Attempt) -> str:
    return attempt.name


def count_attempt(table: Table, operation: str, attempt: Attempt) -> None:
    """Add one ended attempt to the OpenTelemetry metrics."""
    good = attempt.error is None and (attempt.status or 0) < 400
    labels = (operation, attempt.target.provider, model_label(table, attempt, real=good))
    table["gen_ai_client_inference_duration_seconds"].at(
        *labels, attempt.error or ("" if good else str(attempt.status))
    ).observe((attempt.ended or attempt.started) - attempt.started)
    if attempt.first_token is not None:
        table["gen_ai_client_inference_time_to_first_chunk_seconds"].at(*labels).observe(
            attempt.first_token - attempt.started
        )
    usage = attempt.usage
    if usage is not None and attempt.error is None:
        for direction, tokens in (
            ("input", usage.prompt_tokens),
            ("output", usage.completion_tokens),
        ):
            table[f"gen_ai_client_inference_usage_{direction}_tokens"].at(*labels).observe(tokens)


def count(table: Table, record: CallRecord, target: str) -> None:
    """Add one ended call to the metrics."""
    route, key = record.route or NONE, record.key or NONE
    table["llmitm_requests_total"].at(route, target, str(record.status), key).inc()
    table["llmitm_request_duration_seconds"].at(route).observe(record.duration_ms / 1000)
    if record.error is not None:
        table["llmitm_errors_total"].at(record.error, record.dialect).inc()
    if record.overhead_ms is not None:
        table["llmitm_overhead_seconds"].at().observe(record.overhead_ms / 1000)
    if record.cost_usd:
        table["llmitm_cost_usd_total"].at(target, key).inc(float(record.cost_usd))
    for direction, tokens in _tokens(record):
        table["llmitm_tokens_total"].at(direction, target).inc(tokens)
    if record.stream and record.ttft_ms is not None:
        _pace(table, record, target, record.ttft_ms)


def _tokens(record: CallRecord) -> Iterator[tuple[str, int]]:
    counts = {
        "input": record.prompt_tokens,
        "cached": record.cached_tokens,
        "output": record.completion_tokens,
        "reasoning": record.reasoning_tokens,
    }
    return ((direction, tokens) for direction, tokens in counts.items() if tokens)


def _pace(table: Table, record: CallRecord, target: str, ttft_ms: float) -> None:
    table["llmitm_time_to_first_token_seconds"].at(target).observe(ttft_ms / 1000)
    seconds = (record.duration_ms - ttft_ms) / 1000
    if seconds > 0 and record.completion_tokens:
        table["llmitm_tokens_per_second"].at(target).observe(record.completion_tokens / seconds)


addons = [Metrics()]
