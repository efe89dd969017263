"""Errors in the words of the dialects: reading a provider's, writing the gateway's."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from llmitm.dialects.sse import frame
from llmitm.errors import GatewayError, error_object

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode

_MAX_MESSAGE = 2000
_NOT_FOR_PEOPLE = re.compile(
    r"<\s*(?:!doctype|html|head|body|\?xml)|Traceback \(most", re.IGNORECASE
)

Fault = tuple[str | None, str | None, str | None]


def error_message(dialect: str, body: bytes | dict[str, Any]) -> Fault:
    """Message, code and type of a provider's error body; None for each part it does not tell.

    The body's own shape decides, whatever the `dialect`: providers and the proxies before them
    answer in one another's shapes. HTML pages and stack traces give no message. Never raises.
    """
    value = _parse(body) if isinstance(body, bytes | bytearray) else body
    if isinstance(value, list) and value:
        value = value[0]  # Gemini's OpenAI-compatible endpoint wraps its errors in a list
    if isinstance(value, str):
        return _readable(value), None, None
    if not isinstance(value, dict):
        return None, None, None
    inner = value.get("error")
    if isinstance(inner, str) and inner:
        return _readable(value.get("message")) or _readable(inner), _word(value.get("code")), None
    found = inner if isinstance(inner, dict) and inner else value
    kind = found.get("type") or found.get("status")
    return (
        _readable(found.get("message")) or _detail(found),
        _word(found.get("code")),
        _word(kind),
    )


def error_event(
    error: GatewayError,
    dialect: str,
    operation: str,
    request_id: str | None = None,
    number: int = 0,
) -> bytes:
    """The event or line that tells a client in mid-stream that its answer failed.

    `number` is the event's own, where the events of the operation are numbered.
    """
    value = error_object(error, dialect, request_id)
    if dialect == "ollama":
        return _encode(value) + b"\n"
    if dialect == "anthropic":
        return frame(_encode(value), "error")
    if operation == "responses":
        return responses_error(value, number)
    return frame(_encode(value))


def responses_error(value: dict[str, Any], number: int) -> bytes:
    """The flat event that an error object is in a stream of the Responses API."""
    inner = value["error"]
    flat = {
        "type": "error",
        "code": inner["code"] or inner["type"],
        "message": inner["message"],
        "param": inner["param"],
        "sequence_number": number,
    }
    return frame(_encode(flat), "error")


def _parse(body: bytes | bytearray) -> Any:
    try:
        return _decode(body)
    except (ValueError, RecursionError):
        text = bytes(body[: 4 * _MAX_MESSAGE]).decode("utf-8", "replace").rstrip("\ufffd")
        return None if "\ufffd" in text or "\0" in text else text


def _readable(value: Any) -> str | None:
    if not isinstance(value, str) or _NOT_FOR_PEOPLE.search(value):
        return None
    return value.strip()[:_MAX_MESSAGE] or None


def _word(value: Any) -> str | None:
    if isinstance(value, str):
        return value[:100] or None
    return str(value) if type(value) is int and 0 < abs(value) < 2**63 else None


def _detail(value: dict[str, Any]) -> str | None:
    """FastAPI's error: a text, or a list of what is wrong with which field."""
    detail = value.get("detail")
    if isinstance(detail, list):
        texts = (_readable(item.get("msg")) for item in detail if isinstance(item, dict))
        return "; ".join(text for text in texts if text)[:_MAX_MESSAGE] or None
    return _readable(detail)
