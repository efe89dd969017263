from __future__ import annotations

import pytest
from prometheus_client import generate_latest

from llmitm.call import Attempt, Target, Usage
from llmitm.metrics import TABLE, Metrics
from llmitm.seeds.aliases import ALIASES, SPEED, Alias, Aliases
from tests.seeds.flows import flow_of

# The metrics that the document lists.
DOCUMENTED = {
    "neurogate_gateway_requests_total",
    "neurogate_gateway_request_duration_seconds",
    "neurogate_gateway_circuit_breaker_state",
    "neurogate_worker_inference_duration_seconds",
    "neurogate_worker_tokens_generated_total",
    "neurogate_worker_tokens_per_second",
}


def lines(table: Metrics) -> dict[str, float]:
    text = generate_latest(table.registry).decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in text if line.startswith("neurogate_"))
    return {name: float(value) for name, value in pairs}


@pytest.fixture
def table() -> Metrics:
    table = Metrics()
    table.registry.register(Aliases(table))
    return table


def test_every_documented_name() -> None:
    """Each name of the document stands for a metric of the table."""
    assert {alias.name for alias in ALIASES} | {SPEED} == DOCUMENTED


@pytest.mark.parametrize("alias", ALIASES, ids=lambda alias: alias.name)
def test_sources(alias: Alias) -> None:
    """An alias renames labels that its source has, and is of the same kind."""
    spec = next(spec for spec in TABLE if spec.name == alias.source)
    assert {*alias.labels, *alias.only} <= set(spec.labels)
    assert alias.name.endswith("_total") == (spec.kind == "counter")


def test_same_numbers(table: Metrics) -> None:
    """A scrape shows the gateway's own numbers under the other names."""
    table["llmitm_requests_total"].at("*", "worker-0/m", "200", "dev").inc(3)
    table["llm_circuit_breaker_state"].at("worker-0/*").set(1)
    table["llmitm_request_duration_seconds"].at("*").observe(0.5)
    table["llmitm_tokens_total"].at("output", "worker-0/m").inc(42)
    table["llmitm_tokens_total"].at("input", "worker-0/m").inc(12)
    found = lines(table)
    requests = '{key="dev",route="*",status="200",worker="worker-0/m"}'
    assert found[f"neurogate_gateway_requests_total{requests}"] == 3
    assert found['neurogate_gateway_circuit_breaker_state{worker="worker-0/*"}'] == 1
    assert found['neurogate_gateway_request_duration_seconds_sum{route="*"}'] == 0.5
    assert found['neurogate_worker_tokens_generated_total{worker="worker-0/m"}'] == 42
    assert not any("input" in name or value == 12 for name, value in found.items())


@pytest.mark.parametrize(
    ("stream", "usage", "error", "expected"),
    [
        (False, Usage(completion_tokens=40), None, 10.0),
        (True, Usage(completion_tokens=40), None, 20.0),
        (True, Usage(), None, None),
        (True, None, None, None),
        (True, Usage(completion_tokens=40), "stream_cut", None),
    ],
)
def test_speed(
    table: Metrics,
    stream: bool,
    usage: Usage | None,
    error: str | None,
    expected: float | None,
) -> None:
    """A worker's speed is that of its newest answer, from the first token on where there is one."""
    aliases = Aliases(table)
    _, call = flow_of("/prompt", {})
    attempt = Attempt(Target("worker-0"), 1, "m", started=10.0, first_token=12.0, ended=14.0)
    attempt.error = error
    call.attempts, call.usage, call.stream = [attempt], usage, stream
    aliases.learn(call)
    (speed,) = [family for family in aliases.collect() if family.name == SPEED]
    assert [sample.value for sample in speed.samples] == ([expected] if expected else [])
