"""The metrics addon: what an ended call and its attempts add, and under which labels."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from prometheus_client import generate_latest

from addons.metrics import count, count_attempt, target_of
from llmitm.call import Attempt, Call, CallRecord, FromCache, Target, Usage
from llmitm.errors import Cause, GatewayError
from llmitm.metrics import MAX_SAMPLES, Metrics

RECORD: dict[str, Any] = {
    "request_id": "req_1",
    "ts": 0.0,
    "key": "dev",
    "dialect": "openai",
    "operation": "chat",
    "route": "gpt-*",
    "model": "gpt-4o",
    "target": "openai/gpt-4o",
    "status": 200,
    "duration_ms": 2500.0,
}
SERVED = '{key="dev",route="gpt-*",status="200",target="openai/gpt-4o"}'


def lines(table: Metrics) -> dict[str, float]:
    text = generate_latest(table.registry).decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in text if not line.startswith("#"))
    return {name: float(value) for name, value in pairs if float(value)}


def counted(**fields: Any) -> dict[str, float]:
    table = Metrics()
    count(table, CallRecord(**{**RECORD, **fields}), "openai/gpt-4o")
    return lines(table)


@pytest.mark.parametrize(
    ("fields", "line", "value"),
    [
        ({}, f"llmitm_requests_total{SERVED}", 1),
        ({}, 'llmitm_request_duration_seconds_sum{route="gpt-*"}', 2.5),
        ({"overhead_ms": 0.5}, "llmitm_overhead_seconds_sum", 0.0005),
        (
            {"error": "rate_limited"},
            'llmitm_errors_total{cause="rate_limited",dialect="openai"}',
            1,
        ),
        (
            {"cost_usd": Decimal("0.25")},
            'llmitm_cost_usd_total{key="dev",target="openai/gpt-4o"}',
            0.25,
        ),
        (
            {"prompt_tokens": 7},
            'llmitm_tokens_total{direction="input",target="openai/gpt-4o"}',
            7,
        ),
        (
            {"reasoning_tokens": 5},
            'llmitm_tokens_total{direction="reasoning",target="openai/gpt-4o"}',
            5,
        ),
        (
            {"stream": True, "ttft_ms": 500.0},
            'llmitm_time_to_first_token_seconds_sum{target="openai/gpt-4o"}',
            0.5,
        ),
        (
            {"stream": True, "ttft_ms": 500.0, "completion_tokens": 40},
            'llmitm_tokens_per_second_sum{target="openai/gpt-4o"}',
            20,
        ),
    ],
)
def test_count(fields: dict[str, Any], line: str, value: float) -> None:
    """An ended call adds what its record says."""
    assert counted(**fields)[line] == value


def test_whole_answers_have_no_pace() -> None:
    """Time to first token and tokens per second are of streams only."""
    found = counted(ttft_ms=500.0, completion_tokens=40)
    assert not [name for name in found if "first_token" in name or "per_second" in name]


def call_to(model: str, *, target: str = "*", status: int = 200, error: bool = False) -> Call:
    call = Call("req_1", "openai", "chat", "/v1/chat/completions", model=model, status=status)
    call.attempts.append(Attempt(Target("openai", target), 1, model))
    call.error = GatewayError(Cause.UPSTREAM_UNAVAILABLE, "") if error else None
    return call


@pytest.mark.parametrize(
    ("call", "label"),
    [
        (call_to("gpt-4o"), "openai/gpt-4o"),
        (call_to("invented", status=404), "openai/other"),
        (call_to("invented", error=True), "openai/other"),
        (call_to("tuned", target="tuned", status=503, error=True), "openai/tuned"),
        (call_to("x" * 500), "openai/other"),
        (Call("req_2", "openai", "chat", "/v1/chat/completions"), "none"),
        (
            Call("req_3", "openai", "chat", "/v1", from_cache=FromCache(Target("openai"), 1)),
            "cache",
        ),
    ],
)
def test_target_label(call: Call, label: str) -> None:
    """A model of the client's choice is a label value once the provider answered for it."""
    assert target_of(Metrics(), call) == label


def test_models_are_bounded() -> None:
    """10,000 models that answer leave as many label values as there may be, and "other"."""
    table = Metrics(max_models=50)
    labels = {target_of(table, call_to(f"model-{number}")) for number in range(10_000)}
    assert len(labels) == 51
    assert "openai/other" in labels


def test_ten_thousand_keys_and_models() -> None:
    """10,000 calls, each with a key and a model of its own, stay within the bound, and add up."""
    table = Metrics()
    for number in range(10_000):
        call = call_to(f"model-{number}")
        record = CallRecord(**{**RECORD, "key": f"key-{number}", "prompt_tokens": 1})
        count(table, record, target_of(table, call))
    families = list(table.registry.collect())
    assert max(len(family.samples) for family in families) <= MAX_SAMPLES
    sums = {family.name: sum(sample.value for sample in family.samples) for family in families}
    assert sums["llmitm_requests"] == sums["llmitm_tokens"] == 10_000


def attempt(**fields: Any) -> Attempt:
    made = Attempt(Target("openai", "gpt-4o"), 1, "gpt-4o", started=10.0, ended=12.0, status=200)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


MODEL = 'gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="gpt-4o"'


@pytest.mark.parametrize(
    ("fields", "line", "value"),
    [
        ({}, f'duration_seconds_sum{{error_type="",{MODEL}}}', 2),
        ({"error": "timeout"}, f'duration_seconds_sum{{error_type="timeout",{MODEL}}}', 2),
        ({"status": 422}, f'duration_seconds_sum{{error_type="422",{MODEL}}}', 2),
        ({"first_token": 10.5}, f"time_to_first_chunk_seconds_sum{{{MODEL}}}", 0.5),
        ({"usage": Usage(3, 9)}, f"usage_input_tokens_sum{{{MODEL}}}", 3),
        ({"usage": Usage(3, 9)}, f"usage_output_tokens_sum{{{MODEL}}}", 9),
    ],
)
def test_count_attempt(fields: dict[str, Any], line: str, value: float) -> None:
    """An ended attempt adds to the metrics that OpenTelemetry names."""
    table = Metrics()
    count_attempt(table, "chat", attempt(**fields))
    assert lines(table)[f"gen_ai_client_inference_{line}"] == value


def test_failed_attempts_have_no_usage() -> None:
    """What a failed attempt used is not counted as an answer's."""
    table = Metrics()
    count_attempt(table, "chat", attempt(usage=Usage(3, 9), error="stream_cut"))
    assert not [name for name in lines(table) if "usage" in name]
