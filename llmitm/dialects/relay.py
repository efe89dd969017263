"""Telling a client of one dialect what a provider of another answered instead of a completion."""

from __future__ import annotations

import re
from typing import Final

from llmitm.dialects.carry import Json
from llmitm.dialects.faults import error_message
from llmitm.errors import Cause, GatewayError, error_object

_BY_STATUS: Final = {
    400: Cause.INVALID_REQUEST,
    # The credential is the gateway's: a client who is told 401 would look for the fault in its own.
    401: Cause.UPSTREAM_UNAVAILABLE,
    402: Cause.UPSTREAM_UNAVAILABLE,
    403: Cause.UPSTREAM_UNAVAILABLE,
    404: Cause.UNKNOWN_MODEL,
    408: Cause.UPSTREAM_TIMEOUT,
    413: Cause.TOO_LARGE,
    429: Cause.RATE_LIMITED,
    500: Cause.INTERNAL,
    504: Cause.UPSTREAM_TIMEOUT,
}
_BY_TYPE: Final = {
    "invalid_request_error": Cause.INVALID_REQUEST,
    "not_found_error": Cause.UNKNOWN_MODEL,
    "request_too_large": Cause.TOO_LARGE,
    "rate_limit_error": Cause.RATE_LIMITED,
    "rate_limit_exceeded": Cause.RATE_LIMITED,
    "timeout_error": Cause.UPSTREAM_TIMEOUT,
    "timeout": Cause.UPSTREAM_TIMEOUT,
    "api_error": Cause.INTERNAL,
    "server_error": Cause.INTERNAL,
    "internal_error": Cause.INTERNAL,
}
_TOO_LONG: Final = re.compile(r"prompt is too long|context[ _](length|window)", re.IGNORECASE)
_TRACE: Final = re.compile(r'File "[^"]+", line \d+|\n\s+at \S+\(|goroutine \d+ \[')
_SECRET: Final = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|key|api[-_]?key)[-_=:][\w*.\-]{6,}|\bAIza[\w\-]{10,}|\bBearer\s+\S+",
    re.IGNORECASE,
)


def relay(body: object, dialect: str, status: int | None = None) -> Json:
    """A provider's error as the client's dialect has it.

    `body` is the reply's body, parsed or not, or the payload of an in-band error, which has no
    `status`. The provider's message is kept, unless it is markup or a stack trace, and without
    anything that looks like a credential.
    """
    message, code, kind = error_message(dialect, body if isinstance(body, bytes | dict) else b"")
    cause = _cause(status, kind or code or "")
    too_long = cause is Cause.INVALID_REQUEST and _TOO_LONG.search(message or "")
    said = _clean(message or "") or _unsaid(status)
    code = "context_length_exceeded" if too_long else None
    return error_object(GatewayError(cause, said, code=code), dialect)


def _cause(status: int | None, kind: str) -> Cause:
    if status is None:
        return _BY_TYPE.get(kind, Cause.UPSTREAM_UNAVAILABLE)
    if 400 <= status < 500:
        return _BY_STATUS.get(status, Cause.INVALID_REQUEST)
    return _BY_STATUS.get(status, Cause.UPSTREAM_UNAVAILABLE)


def _clean(message: str) -> str:
    return "" if _TRACE.search(message) else _SECRET.sub("*****", message)


def _unsaid(status: int | None) -> str:
    if status is None:
        return "The provider reported an error in its stream."
    return f"The provider answered with status {status}."
