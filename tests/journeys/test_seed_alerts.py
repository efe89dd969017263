"""The alert classifier: what its document shows works with this gateway, ports aside."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from llmitm.seeds.alerts import SCHEMA
from llmitm.simulator.server import Simulator
from tests.support.calls import watch
from tests.support.gateway import Gateway, Starter
from tests.support.scripted import ScriptedModel
from tests.support.seeds import curl, from_environment, post

ALERT = {
    "fingerprint": "abc123",
    "alertname": "HighCPUUsage",
    "status": "firing",
    "labels": {"severity": "critical", "instance": "web-1"},
    "annotations": {"summary": "CPU above 95 % for 10 minutes"},
}
FOUND = {
    "severity": 4,
    "confidence": 0.93,
    "reasoning": "The CPU is saturated.",
    "recommendations": ["Scale out"],
}
EXAMPLE = {
    "LLM_API_KEY": "your-api-key",
    "LLM_MODEL": "openai/gpt-4o",
    "LLM_TIMEOUT": "30s",
    "LLM_MAX_RETRIES": "3",
    "LLM_RETRY_BACKOFF": "2.0",
    "LLM_CIRCUIT_BREAKER_ENABLED": "true",
    "LLM_CIRCUIT_BREAKER_MAX_FAILURES": "5",
    "LLM_CIRCUIT_BREAKER_RESET_TIMEOUT": "30s",
    "LLM_CIRCUIT_BREAKER_FAILURE_THRESHOLD": "0.5",
    "LLM_CIRCUIT_BREAKER_TIME_WINDOW": "60s",
    "LLM_CIRCUIT_BREAKER_SLOW_CALL_DURATION": "3s",
    "LLM_CIRCUIT_BREAKER_HALF_OPEN_MAX_CALLS": "1",
}


@pytest.fixture
def simulator(starter: Starter) -> Simulator:
    return starter.simulator()[0]


@pytest.fixture
def gateway(starter: Starter, simulator: Simulator) -> Gateway:
    """The document's environment, but for the addresses and the first backoff."""
    return from_environment(starter, **EXAMPLE, LLM_BASE_URL=simulator.url)


def classify(gateway: Gateway, alert: Any = ALERT) -> httpx.Response:
    return httpx.post(f"{gateway.url}/classify", json=alert)


def test_classify_an_alert(gateway: Gateway, simulator: Simulator) -> None:
    """An alert is answered with severity, confidence and reasoning, in the schema's bounds."""
    reply = post(f"{gateway.url}/classify", ALERT)
    assert reply.status == 200
    assert set(reply.json) == {"severity", "confidence", "reasoning", "recommendations"}
    assert reply.json["severity"] in (1, 2, 3, 4)
    assert 0 <= reply.json["confidence"] <= 1
    asked = json.loads(simulator.requests[-1].body)
    assert asked["model"] == "openai/gpt-4o"
    assert asked["response_format"]["json_schema"]["schema"] == SCHEMA
    assert json.loads(asked["messages"][-1]["content"]) == ALERT


@pytest.mark.parametrize(
    "alert",
    [
        {"alert": ALERT},
        {"Fingerprint": "abc123", "AlertName": "HighCPUUsage", "Status": "firing"},
        {"labels": {"alertname": "HighCPUUsage"}, "startsAt": "2026-01-02T03:04:05Z"},
        {"alert_name": "HighCPUUsage", "starts_at": "2026-01-02T03:04:05Z"},
    ],
)
def test_alerts_as_others_write_them(gateway: Gateway, alert: Any) -> None:
    """The spellings of Alertmanager, of Go structs and of an envelope are all understood."""
    assert classify(gateway, alert).status_code == 200


@pytest.mark.parametrize(
    ("alert", "field"),
    [
        ({}, "alertname"),
        ({"alertname": 7}, "alertname"),
        ({**ALERT, "status": "burning"}, "status"),
        ({**ALERT, "labels": ["web-1"]}, "labels"),
        ({**ALERT, "annotations": {"n": 1}}, "annotations"),
        ({"alert": "HighCPUUsage"}, "alert"),
    ],
)
def test_invalid_requests(gateway: Gateway, simulator: Simulator, alert: Any, field: str) -> None:
    """What is no alert is an `invalid_request` that names the field; no model is asked."""
    reply = classify(gateway, alert)
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")
    assert field in reply.json()["message"]
    assert simulator.total == 0


def test_an_open_circuit(gateway: Gateway, simulator: Simulator) -> None:
    """After LLM_CIRCUIT_BREAKER_MAX_FAILURES failures clients learn `circuit_breaker_open`."""
    simulator.fault = "500"
    replies = [classify(gateway) for _ in range(3)]
    assert [reply.json()["error"] for reply in replies] == [
        "server_error",
        "server_error",
        "circuit_breaker_open",
    ]
    assert {reply.status_code for reply in replies} == {503}
    assert simulator.total == 5


@pytest.mark.parametrize(
    ("fault", "status", "category"),
    [
        ("429", 429, "rate_limit"),
        ("500", 503, "server_error"),
        ("400", 400, "client_error"),
        ("reset", 503, "network_error"),
    ],
)
def test_error_categories(
    gateway: Gateway, simulator: Simulator, fault: str, status: int, category: str
) -> None:
    """Errors have the document's categories."""
    simulator.fault = fault
    reply = classify(gateway)
    assert (reply.status_code, reply.json()["error"]) == (status, category)
    assert reply.json()["request_id"] == reply.headers["x-request-id"]


def test_health(gateway: Gateway, simulator: Simulator) -> None:
    """The health check's JSON has the circuit's state and counts, open or not."""
    empty = {"failure_count": 0, "success_count": 0, "last_failure": None, "next_retry_at": None}
    reply = curl(f"{gateway.url}/health")
    assert reply.json == {"status": "healthy", "llm": {"circuit_breaker_state": "closed", **empty}}
    simulator.fault = "500"
    for _ in range(2):
        classify(gateway)
    reply = curl(f"{gateway.url}/health")
    circuit = reply.json["llm"]
    assert (reply.status, reply.json["status"]) == (200, "healthy")
    assert circuit["circuit_breaker_state"] == "open"
    assert circuit["failure_count"] == 5
    for name in ("last_failure", "next_retry_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", circuit[name])
    assert circuit["last_failure"] < circuit["next_retry_at"]


def test_metrics(gateway: Gateway, simulator: Simulator) -> None:
    """All of the document's metrics are there, counting the attempts of this endpoint."""
    classify(gateway)
    simulator.fault = "500"
    for _ in range(3):
        classify(gateway)
    text = httpx.get(f"{gateway.admin_url}/metrics").text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    target = '{target="llm/openai/gpt-4o"}'
    name = "llm_circuit_breaker"
    assert float(values[f"{name}_state{target}"]) == 1
    assert float(values[f"{name}_failures_total{target}"]) == 5
    assert float(values[f"{name}_successes_total{target}"]) == 1
    assert float(values[f"{name}_requests_blocked_total{target}"]) >= 1
    assert float(values[f"{name}_half_open_requests_total{target}"]) == 0
    assert float(values[f"{name}_slow_calls_total{target}"]) == 0
    opened = '{from="closed",target="llm/openai/gpt-4o",to="open"}'
    assert float(values[f"{name}_state_changes_total{opened}"]) == 1
    failed = '{result="failure",target="llm/openai/gpt-4o"}'
    assert float(values[f"{name}_call_duration_seconds_count{failed}"]) == 5


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as model:
        yield model


@pytest.fixture
def scripted(starter: Starter, model: ScriptedModel) -> Gateway:
    return from_environment(starter, **EXAMPLE, LLM_BASE_URL=model.url)


def test_the_models_answer_is_what_the_client_gets(scripted: Gateway, model: ScriptedModel) -> None:
    """Severity, confidence and the rest come as the model gave them, a code fence aside."""
    model.texts = [json.dumps(FOUND), f"```json\n{json.dumps(FOUND)}\n```"]
    assert [classify(scripted).json() for _ in range(2)] == [FOUND, FOUND]
    assert len(model.requests) == 2


UNFIT = [
    "It is critical!",
    json.dumps({**FOUND, "severity": 5}),
    json.dumps({**FOUND, "severity": "critical"}),
    json.dumps({**FOUND, "confidence": 1.5}),
    json.dumps({"severity": 4, "confidence": 0.9}),
    json.dumps({**FOUND, "mood": "bad"}),
    "[]",
    "",
]


@pytest.mark.parametrize("text", UNFIT)
def test_a_model_that_does_not_comply_is_asked_again(
    scripted: Gateway, model: ScriptedModel, text: str
) -> None:
    """An answer outside the schema is not passed on; the next one is."""
    model.texts = [text, json.dumps(FOUND)]
    watcher = watch(scripted)
    assert classify(scripted).json() == FOUND
    (record,) = watcher.wait()
    assert [(a.status, a.error) for a in record.attempts] == [(200, "unfit"), (200, None)]


def test_invalid_response(scripted: Gateway, model: ScriptedModel) -> None:
    """A model that never complies ends in `invalid_response`; its target's circuit stays closed."""
    model.texts = ["It is critical!"]
    for _ in range(3):
        reply = classify(scripted)
        assert (reply.status_code, reply.json()["error"]) == (502, "invalid_response")
    assert "critical" not in reply.text
    assert len(model.requests) == 3 * 4  # LLM_MAX_RETRIES and the first attempt
    circuit = curl(f"{scripted.url}/health").json["llm"]
    assert (circuit["circuit_breaker_state"], circuit["failure_count"]) == ("closed", 0)


@pytest.mark.parametrize("content_type", ["text/event-stream", "text/html"])
def test_what_is_no_json(scripted: Gateway, model: ScriptedModel, content_type: str) -> None:
    """A page or a stream that nobody asked for never reaches the client."""
    model.content_type = content_type
    model.raw = b"<html>hello</html>"
    reply = classify(scripted)
    assert (reply.status_code, reply.json()["error"]) == (503, "server_error")
    assert "hello" not in reply.text
