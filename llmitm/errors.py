"""What can go wrong with a call, and how each cause is said to a client.

The cause is the bounded label that logs and metrics carry. Status, error type and code follow
the published error tables of the OpenAI and Anthropic APIs and Ollama's `{"error": text}`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


class Cause(StrEnum):
    """Why a call failed; the value is a metric label, so the set is closed."""

    INVALID_REQUEST = "invalid_request"
    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    KILLED = "killed"
    UNKNOWN_MODEL = "unknown_model"
    TIMEOUT_CLIENT = "client_timeout"
    TOO_LARGE = "too_large"
    HEADERS_TOO_LARGE = "headers_too_large"
    RATE_LIMITED = "rate_limited"
    BUDGET_EXHAUSTED = "budget_exhausted"
    CLIENT_CLOSED = "client_closed"
    INTERNAL = "internal"
    INVALID_RESPONSE = "invalid_response"
    UPSTREAM_UNAVAILABLE = "upstream_unavailable"
    CIRCUIT_OPEN = "circuit_open"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    STREAM_CUT = "stream_cut"
    UPSTREAM_REFUSED = "upstream_refused"
    SHUTTING_DOWN = "shutting_down"


@dataclass(frozen=True, slots=True)
class Shape:
    """One cause in the words of the dialects."""

    status: int
    openai_type: str
    openai_code: str | None
    anthropic_type: str
    anthropic_status: int | None = None
    retry: bool | None = None  # the value of x-should-retry, where it is sent


_INVALID = Shape(400, "invalid_request_error", None, "invalid_request_error", retry=False)

SHAPES: dict[Cause, Shape] = {
    Cause.INVALID_REQUEST: _INVALID,
    Cause.AUTHENTICATION: Shape(
        401, "invalid_request_error", "invalid_api_key", "authentication_error", retry=False
    ),
    Cause.PERMISSION: Shape(
        403, "invalid_request_error", "model_not_allowed", "permission_error", retry=False
    ),
    Cause.KILLED: Shape(403, "invalid_request_error", "killed", "permission_error", retry=False),
    Cause.UNKNOWN_MODEL: Shape(
        404, "invalid_request_error", "model_not_found", "not_found_error", retry=False
    ),
    Cause.TIMEOUT_CLIENT: Shape(408, "invalid_request_error", "request_timeout", "timeout_error"),
    Cause.TOO_LARGE: Shape(
        413, "invalid_request_error", "request_too_large", "request_too_large", retry=False
    ),
    Cause.HEADERS_TOO_LARGE: Shape(
        431, "invalid_request_error", "headers_too_large", "invalid_request_error", retry=False
    ),
    Cause.RATE_LIMITED: Shape(429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_error"),
    Cause.BUDGET_EXHAUSTED: Shape(
        429, "insufficient_quota", "insufficient_quota", "billing_error", 402, retry=False
    ),
    Cause.CLIENT_CLOSED: Shape(499, "invalid_request_error", "client_closed", "api_error"),
    Cause.INTERNAL: Shape(500, "server_error", "internal_error", "api_error"),
    Cause.INVALID_RESPONSE: Shape(
        502, "server_error", "invalid_response", "api_error", retry=False
    ),
    Cause.UPSTREAM_UNAVAILABLE: Shape(
        503, "server_error", "server_is_overloaded", "overloaded_error", retry=False
    ),
    Cause.CIRCUIT_OPEN: Shape(
        503, "server_error", "server_is_overloaded", "overloaded_error", retry=False
    ),
    Cause.UPSTREAM_TIMEOUT: Shape(504, "server_error", "timeout", "timeout_error", retry=False),
    Cause.STREAM_CUT: Shape(503, "server_error", "stream_cut", "api_error", retry=False),
    Cause.UPSTREAM_REFUSED: _INVALID,
    Cause.SHUTTING_DOWN: Shape(503, "server_error", "server_is_overloaded", "overloaded_error"),
}


@dataclass(slots=True)
class GatewayError(Exception):
    """A refusal or failure of a call.

    `message` goes to the client and names what to do. `retry_after` is seconds.
    """

    cause: Cause
    message: str
    param: str | None = None
    code: str | None = None
    retry_after: float | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.cause.value}: {self.message}"

    def status(self, dialect: str) -> int:
        shape = SHAPES[self.cause]
        if dialect == "anthropic" and shape.anthropic_status:
            return shape.anthropic_status
        return shape.status


def error_object(
    error: GatewayError, dialect: str, request_id: str | None = None
) -> dict[str, Any]:
    """The error as the dialect's JSON object, the same for a reply's body and an in-band event."""
    shape = SHAPES[error.cause]
    if dialect == "anthropic":
        inner = {"type": shape.anthropic_type, "message": error.message}
        return {"type": "error", "error": inner, "request_id": request_id}
    if dialect == "ollama":
        return {"error": error.message}
    code = error.code or shape.openai_code
    return {
        "error": {
            "message": error.message,
            "type": shape.openai_type,
            "param": error.param,
            "code": code,
        }
    }


def render(
    error: GatewayError, dialect: str, request_id: str | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and JSON body that tell a client of `dialect` about `error`."""
    headers = {"content-type": "application/json", **error.headers}
    if error.retry_after is not None:
        # Whole seconds, rounded up, so that a client that obeys is not refused again.
        headers["retry-after"] = str(max(1, -int(-error.retry_after // 1)))
        headers["retry-after-ms"] = str(int(error.retry_after * 1000) + 1)
    retry = SHAPES[error.cause].retry
    if retry is not None:
        headers["x-should-retry"] = "true" if retry else "false"
    return error.status(dialect), headers, _encode(error_object(error, dialect, request_id))
