"""Counts what ended, from the frozen record of each call."""

from __future__ import annotations

from mitmproxy import http

from llmitm.call import Attempt, CallRecord, call_of
from llmitm.metrics import Metrics as Table
from llmitm.runtime import runtime

NONE = "none"


class Metrics:
    def running(self) -> None:
        live = runtime()
        calls = live.lifecycle
        if calls is not None:
            live.metrics["llmitm_in_flight"].at().set_function(lambda: calls.in_flight)
        live.metrics["llmitm_ledger_spool_records"].at().set_function(
            lambda: live.ledger.spool_records
        )
        live.metrics["llmitm_ledger_up"].at().set_function(lambda: int(live.ledger.healthy))

    def upstream_response(self, flow: http.HTTPFlow, attempt: Attempt) -> None:
        labels = (call_of(flow).operation, attempt.target.provider, attempt.model)
        table = runtime().metrics
        duration = (attempt.ended or attempt.started) - attempt.started
        table["gen_ai_client_inference_duration_seconds"].at(*labels, attempt.error or "").observe(
            duration
        )
        if attempt.first_token is not None:
            table["gen_ai_client_inference_time_to_first_chunk_seconds"].at(*labels).observe(
                attempt.first_token - attempt.started
            )
        if attempt.usage is not None and attempt.error is None:
            usage = attempt.usage
            table["gen_ai_client_inference_usage_input_tokens"].at(*labels).observe(
                usage.prompt_tokens
            )
            table["gen_ai_client_inference_usage_output_tokens"].at(*labels).observe(
                usage.completion_tokens
            )

    def call_end(self, flow: http.HTTPFlow) -> None:
        record = call_of(flow).record
        if record is not None:
            count(runtime().metrics, record)


def count(table: Table, record: CallRecord) -> None:
    """Add one ended call to the metrics."""
    route = record.route or NONE
    target = record.target or NONE
    key = record.key or NONE
    table["llmitm_requests_total"].at(route, target, str(record.status), key).inc()
    table["llmitm_request_duration_seconds"].at(route).observe(record.duration_ms / 1000)
    if record.error is not None:
        table["llmitm_errors_total"].at(record.error, record.dialect).inc()
    if record.overhead_ms is not None:
        table["llmitm_overhead_seconds"].at().observe(record.overhead_ms / 1000)
    if record.cost_usd:
        table["llmitm_cost_usd_total"].at(target, key).inc(float(record.cost_usd))
    _tokens(table, record, target)


def _tokens(table: Table, record: CallRecord, target: str) -> None:
    counts = (
        ("input", record.prompt_tokens),
        ("cached", record.cached_tokens),
        ("output", record.completion_tokens),
        ("reasoning", record.reasoning_tokens),
    )
    for direction, tokens in counts:
        if tokens:
            table["llmitm_tokens_total"].at(direction, target).inc(tokens)
    if record.stream and record.ttft_ms is not None:
        table["llmitm_time_to_first_token_seconds"].at(target).observe(record.ttft_ms / 1000)
        seconds = (record.duration_ms - record.ttft_ms) / 1000
        if seconds > 0 and record.completion_tokens:
            table["llmitm_tokens_per_second"].at(target).observe(record.completion_tokens / seconds)


addons = [Metrics()]
