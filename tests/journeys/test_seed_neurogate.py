"""NeuroGate: what its document shows works with this gateway, ports aside."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from llmitm.simulator.answer import expected_text
from llmitm.simulator.server import Simulator
from tests.support.calls import watch
from tests.support.gateway import Gateway, Starter
from tests.support.seeds import curl, from_environment

KEY = "neurogate-secret-key-1"
AUTH = {"authorization": f"Bearer {KEY}"}
WORKERS = ("worker-0", "worker-1", "worker-2")


@pytest.fixture
def simulators(starter: Starter) -> list[Simulator]:
    return [starter.simulator(tokens=600)[0] for _ in WORKERS]


@pytest.fixture
def gateway(starter: Starter, simulators: list[Simulator]) -> Gateway:
    addresses = ",".join(simulator.url.removeprefix("http://") for simulator in simulators)
    return from_environment(
        starter, WORKER_ADDRESSES=addresses, API_KEYS=f"{KEY},neurogate-secret-key-2"
    )


def prompt(gateway: Gateway, **fields: Any) -> httpx.Response:
    body = {"query": "Why is the sky blue?", "max_tokens": 5, **fields}
    return httpx.post(f"{gateway.url}/prompt", json=body, headers=AUTH)


def samples(gateway: Gateway) -> dict[str, float]:
    text = httpx.get(f"{gateway.admin_url}/metrics").text
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    return {name: float(value) for name, value in lines}


def test_quick_start(gateway: Gateway, simulators: list[Simulator]) -> None:
    """The first curl of the document is answered, by llama3.2 where no model is named."""
    reply = curl(
        "-X", "POST", f"{gateway.url}/prompt",
        "-H", "Content-Type: application/json",
        "-H", f"Authorization: Bearer {KEY}",
        "-d", '{"query": "Explain quantum computing in simple terms"}',
    )  # fmt: skip
    assert reply.status == 200
    assert reply.json["response"]
    assert reply.json["model"] == "llama3.2"


def test_prompt(gateway: Gateway, simulators: list[Simulator]) -> None:
    """The document's request, with every field, gets every field of the document's response."""
    reply = curl(
        "-X", "POST", f"{gateway.url}/prompt",
        "-H", "Content-Type: application/json",
        "-H", f"Authorization: Bearer {KEY}",
        "-d", """{
          "query": "Why is the sky blue?",
          "model": "llama3.2",
          "max_tokens": 500,
          "temperature": 0.7
        }""",
    )  # fmt: skip
    asked = [{"role": "user", "content": "Why is the sky blue?"}]
    answer = reply.json
    fields = ["request_id", "response", "model", "tokens", "latency_ms", "worker_id"]
    assert (reply.status, list(answer)) == (200, fields)
    assert answer["request_id"] == reply.headers["x-request-id"]
    assert answer["response"] == expected_text(asked, 500)
    assert (answer["model"], answer["tokens"]) == ("llama3.2", 500)
    assert isinstance(answer["latency_ms"], int)
    simulator = simulators[WORKERS.index(answer["worker_id"])]
    sent = json.loads(simulator.requests[-1].body)
    assert (sent["max_tokens"], sent["temperature"]) == (500, 0.7)


def test_round_robin(gateway: Gateway) -> None:
    """Workers take turns."""
    seen = [prompt(gateway).json()["worker_id"] for _ in range(6)]
    assert sorted(seen[:3]) == list(WORKERS)
    assert seen[3:] == seen[:3]


@pytest.mark.parametrize("key", ["neurogate-secret-key-1", "neurogate-secret-key-2"])
def test_valid_keys(gateway: Gateway, key: str) -> None:
    """Every key of API_KEYS opens the door."""
    headers = {"authorization": f"Bearer {key}"}
    body = {"query": "hi", "max_tokens": 1}
    assert httpx.post(f"{gateway.url}/prompt", json=body, headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/prompt", "/workers"])
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}])
def test_other_keys(gateway: Gateway, path: str, headers: dict[str, str]) -> None:
    """No other key does."""
    method = "POST" if path == "/prompt" else "GET"
    reply = httpx.request(method, gateway.url + path, headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (401, "authentication")


@pytest.mark.parametrize(
    "change", [{"query": ""}, {"query": None}, {"model": 7}, {"max_tokens": -1}, {"temperature": 9}]
)
def test_invalid_requests(gateway: Gateway, change: dict[str, Any]) -> None:
    """A field that makes no sense is named."""
    reply = prompt(gateway, **change)
    assert reply.status_code == 400
    assert next(iter(change)) in reply.json()["error"]


def test_health(gateway: Gateway) -> None:
    """`GET /health` needs no key."""
    reply = curl(f"{gateway.url}/health")
    assert (reply.status, reply.json["status"]) == (200, "healthy")


def test_a_failing_worker_is_passed_over(gateway: Gateway, simulators: list[Simulator]) -> None:
    """After 3 failures in a row a worker's circuit opens; clients never notice."""
    simulators[0].fault = "500"
    for _ in range(12):
        assert prompt(gateway).status_code == 200
    assert simulators[0].total == 3
    reply = httpx.get(f"{gateway.url}/workers", headers=AUTH)
    workers = {worker["worker_id"]: worker for worker in reply.json()["workers"]}
    states = {name: worker["circuit_breaker_state"] for name, worker in workers.items()}
    assert states == {"worker-0": "open", "worker-1": "closed", "worker-2": "closed"}
    assert {name: worker["healthy"] for name, worker in workers.items()} == {
        "worker-0": False,
        "worker-1": True,
        "worker-2": True,
    }
    assert workers["worker-0"]["next_retry_at"] > workers["worker-0"]["last_failure"]


def test_metrics(gateway: Gateway, simulators: list[Simulator]) -> None:
    """The document's metric names are there and say the same as the gateway's own."""
    simulators[0].fault = "500"
    watcher = watch(gateway)
    for _ in range(9):
        prompt(gateway)
    tokens = sum(record.completion_tokens for record in watcher.wait(9))
    values = samples(gateway)
    total = [v for n, v in values.items() if n.startswith("neurogate_gateway_requests_total{")]
    assert sum(total) == 9
    assert values['neurogate_gateway_request_duration_seconds_count{route="*"}'] == 9
    state = 'neurogate_gateway_circuit_breaker_state{worker="worker-%d/llama3.2"}'
    assert [values[state % number] for number in range(3)] == [1, 0, 0]
    written = "neurogate_worker_tokens_generated_total{"
    assert sum(v for n, v in values.items() if n.startswith(written)) == tokens == 45
    assert values['neurogate_worker_tokens_per_second{worker="worker-1/*"}'] > 0
    count = "neurogate_worker_inference_duration_seconds_count{"
    attempts = sum(len(record.attempts) for record in watcher.records)
    assert sum(v for n, v in values.items() if n.startswith(count)) == attempts


def test_metrics_are_only_there_with_the_endpoints(starter: Starter) -> None:
    """A gateway without the seeds' endpoints has neither their metrics nor their paths."""
    _, url = starter.simulator()
    gateway = starter.gateway(provider_url=url)
    assert not any(name.startswith("neurogate_") for name in samples(gateway))
    headers = {"authorization": "Bearer sk-client-0123456789"}
    reply = httpx.get(f"{gateway.url}/workers", headers=headers)
    assert reply.status_code == 404
