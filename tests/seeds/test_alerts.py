from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from llmitm.dialects.json_schema import is_strict
from llmitm.errors import Cause, GatewayError
from llmitm.seeds.alerts import CLASSIFY, SCHEMA, SYSTEM, alert_of, check
from llmitm.seeds.endpoint import Fault
from tests.seeds.answered import ANSWERED

FOUND = {"severity": 3, "confidence": 0.5, "reasoning": "Odd.", "recommendations": []}


def test_schema() -> None:
    """The model is asked for exactly what is checked, in what OpenAI calls strict."""
    asked = CLASSIFY.chat({"alertname": "HighCPUUsage"})["response_format"]
    assert asked["json_schema"]["schema"] is SCHEMA
    assert is_strict(SCHEMA)
    assert set(SCHEMA["required"]) == set(FOUND)
    assert all(name in SYSTEM for name in FOUND)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"alertname": "A", "labels": {"x": "y"}}, {"alertname": "A", "labels": {"x": "y"}}),
        ({"alert": {"alertname": "A"}}, {"alertname": "A"}),
        ({"AlertName": "A", "Status": "firing"}, {"alertname": "A", "status": "firing"}),
        ({"alert_name": "A", "starts_at": "t"}, {"alertname": "A", "startsat": "t"}),
        ({"labels": {"alertname": "A"}}, {"alertname": "A", "labels": {"alertname": "A"}}),
    ],
)
def test_alert(body: Any, expected: Any) -> None:
    """Alerts are understood in the spellings that senders use, and keep all they say."""
    assert alert_of(body) == expected


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "alertname"),
        ({"alertname": 7}, "alertname"),
        ({"alert": "A"}, "alert"),
        ({"alertname": "A", "status": "burning"}, "status"),
        ({"alertname": "A", "labels": {"a": 1}}, "labels"),
        ({"alertname": "A", "annotations": []}, "annotations"),
    ],
)
def test_no_alert(body: Any, field: str) -> None:
    """What is no alert is refused, and the field is named."""
    with pytest.raises(GatewayError) as caught:
        alert_of(body)
    assert caught.value.param == field


@pytest.mark.parametrize("text", ["%s", " %s\n", "```json\n%s\n```", "```\n%s```"])
def test_fitting_answers(text: str) -> None:
    """A classification is taken, in a code fence or not."""
    said = text % json.dumps(FOUND)
    assert check(said) is None
    assert CLASSIFY.answer(replace(ANSWERED, text=said)) == FOUND


@pytest.mark.parametrize(
    "change",
    [
        {"severity": 0},
        {"severity": 5},
        {"severity": "3"},
        {"severity": 2.5},
        {"confidence": -0.1},
        {"confidence": 1.1},
        {"confidence": None},
        {"reasoning": None},
        {"recommendations": "none"},
        {"recommendations": [1]},
        {"more": 1},
    ],
)
def test_answers_outside_the_schema(change: Any) -> None:
    """Anything else is named as a fault, and never passed on."""
    fault = check(json.dumps({**FOUND, **change}))
    assert fault is not None
    assert fault.startswith("the answer is no classification: ")


@pytest.mark.parametrize("text", ["", "[]", "null", "It is critical.", "```json\n```", "{"])
def test_answers_that_are_no_json_object(text: str) -> None:
    """Prose is no classification."""
    assert check(text) is not None


@pytest.mark.parametrize("missing", FOUND)
def test_every_field_is_required(missing: str) -> None:
    """An answer that leaves a field out won't do."""
    assert check(json.dumps({k: v for k, v in FOUND.items() if k != missing})) is not None


@pytest.mark.parametrize(
    ("cause", "category"),
    [
        (Cause.CIRCUIT_OPEN, "circuit_breaker_open"),
        (Cause.INVALID_REQUEST, "invalid_request"),
        (Cause.INVALID_RESPONSE, "invalid_response"),
        (Cause.RATE_LIMITED, "rate_limit"),
        (Cause.UPSTREAM_TIMEOUT, "timeout"),
        (Cause.UPSTREAM_UNAVAILABLE, "server_error"),
        (Cause.UPSTREAM_REFUSED, "client_error"),
        (Cause.UNKNOWN_MODEL, "client_error"),
        (Cause.BUDGET_EXHAUSTED, "client_error"),
        (Cause.KILLED, "client_error"),
        (Cause.STREAM_CUT, "server_error"),
    ],
)
def test_fault(cause: Cause, category: str) -> None:
    """Errors have the seed's categories, and no others."""
    told = CLASSIFY.fault(Fault(cause, cause.value, "Why.", "req_1"))
    assert told == {"error": category, "message": "Why.", "request_id": "req_1"}


def test_unreachable() -> None:
    """A target that could not be spoken to is a network's error, not a server's."""
    fault = Fault(Cause.UPSTREAM_UNAVAILABLE, "upstream_unavailable", "Why.", "req_1", True)
    assert CLASSIFY.fault(fault)["error"] == "network_error"
