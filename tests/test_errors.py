"""Every cause in the words of the three dialects."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.errors import SHAPES, Cause, GatewayError, error_object, render

DIALECTS = ("openai", "anthropic", "ollama")
# The types that the SDKs know, by status (error tables of both APIs).
ANTHROPIC_TYPES = {
    "invalid_request_error", "authentication_error", "billing_error", "permission_error",
    "not_found_error", "request_too_large", "rate_limit_error", "api_error", "overloaded_error",
    "timeout_error",
}  # fmt: skip
OPENAI_TYPES = {
    "invalid_request_error", "rate_limit_error", "insufficient_quota", "server_error",
}  # fmt: skip


def test_every_cause_has_a_shape() -> None:
    """No cause is without words."""
    assert set(SHAPES) == set(Cause)


@pytest.mark.parametrize("cause", Cause)
def test_types_are_the_apis_own(cause: Cause) -> None:
    """SDKs choose their exception by status and read the type: both are known ones."""
    shape = SHAPES[cause]
    assert shape.anthropic_type in ANTHROPIC_TYPES
    assert shape.openai_type in OPENAI_TYPES
    assert 400 <= shape.status < 600


@pytest.mark.parametrize(
    ("cause", "openai", "anthropic"),
    [
        (Cause.INVALID_REQUEST, 400, 400),
        (Cause.AUTHENTICATION, 401, 401),
        (Cause.PERMISSION, 403, 403),
        (Cause.UNKNOWN_MODEL, 404, 404),
        (Cause.TOO_LARGE, 413, 413),
        (Cause.RATE_LIMITED, 429, 429),
        (Cause.BUDGET_EXHAUSTED, 429, 402),
        (Cause.INTERNAL, 500, 500),
        (Cause.UPSTREAM_UNAVAILABLE, 503, 503),
        (Cause.CIRCUIT_OPEN, 503, 503),
        (Cause.UPSTREAM_TIMEOUT, 504, 504),
    ],
)
def test_status(cause: Cause, openai: int, anthropic: int) -> None:
    """The statuses that are promised."""
    error = GatewayError(cause, "")
    assert [error.status(d) for d in DIALECTS] == [openai, anthropic, openai]


@pytest.mark.parametrize("cause", Cause)
def test_retry(cause: Cause) -> None:
    """SDKs are told not to retry what the gateway has retried, or what would fail again."""
    _, headers, _ = render(GatewayError(cause, ""), "openai")
    may = cause in (
        Cause.RATE_LIMITED,
        Cause.TIMEOUT_CLIENT,
        Cause.CLIENT_CLOSED,
        Cause.INTERNAL,
        Cause.SHUTTING_DOWN,
    )
    assert headers.get("x-should-retry") == (None if may else "false")


BODIES: dict[str, Any] = {
    "openai": {
        "error": {
            "message": "No such model.",
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_found",
        }
    },
    "anthropic": {
        "type": "error",
        "error": {"type": "not_found_error", "message": "No such model."},
        "request_id": "req_1",
    },
    "ollama": {"error": "No such model."},
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_body(dialect: str) -> None:
    """The body is the dialect's own, and JSON."""
    error = GatewayError(Cause.UNKNOWN_MODEL, "No such model.", param="model")
    status, headers, body = render(error, dialect, "req_1")
    assert (status, headers["content-type"]) == (404, "application/json")
    assert json.loads(body) == BODIES[dialect] == error_object(error, dialect, "req_1")


def test_code() -> None:
    """A closer code than the cause's may be given."""
    error = GatewayError(Cause.PERMISSION, "", code="model_not_priced")
    assert error_object(error, "openai")["error"]["code"] == "model_not_priced"


@given(st.floats(0.0, 1e6))
def test_retry_after(seconds: float) -> None:
    """A client that waits as long as either header says is not too early."""
    _, headers, _ = render(GatewayError(Cause.RATE_LIMITED, "", retry_after=seconds), "openai")
    assert int(headers["retry-after"]) >= max(1, seconds)
    assert int(headers["retry-after"]) < seconds + 2
    assert int(headers["retry-after-ms"]) >= seconds * 1000
    assert int(headers["retry-after-ms"]) <= seconds * 1000 + 1


def test_headers_of_its_own() -> None:
    """What the error says itself goes along, and may be overruled by its cause."""
    error = GatewayError(Cause.RATE_LIMITED, "", headers={"x-should-retry": "false", "x-a": "b"})
    _, headers, _ = render(error, "openai")
    assert (headers["x-should-retry"], headers["x-a"]) == ("false", "b")
    assert "retry-after" not in headers


def test_text() -> None:
    """In logs an error says its cause and its message."""
    assert str(GatewayError(Cause.INTERNAL, "No room.")) == "internal: No room."
