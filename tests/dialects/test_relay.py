"""A provider's error reaches a client of another dialect: its message, and nothing secret."""

from __future__ import annotations

import pytest

from llmitm.dialects.relay import relay
from tests.dialects.streams import Json

OPENAI = {"error": {"message": "what it was", "type": "x", "param": None, "code": None}}
ANTHROPIC = {"type": "error", "error": {"type": "x", "message": "what it was"}}


@pytest.mark.parametrize(
    "body",
    [
        OPENAI,
        ANTHROPIC,
        {"error": "what it was"},
        {"message": "what it was"},
        {"detail": "what it was"},
        b'{"error": {"message": "what it was"}}',
    ],
)
def test_message_is_kept(body: object) -> None:
    """Wherever a provider puts its message, the client of each dialect gets it."""
    assert relay(body, "openai", 400)["error"]["message"] == "what it was"
    assert relay(body, "anthropic", 400)["error"]["message"] == "what it was"
    assert relay(body, "ollama", 400) == {"error": "what it was"}


@pytest.mark.parametrize(
    ("status", "openai", "anthropic"),
    [
        (400, "invalid_request_error", "invalid_request_error"),
        (401, "server_error", "overloaded_error"),
        (403, "server_error", "overloaded_error"),
        (404, "invalid_request_error", "not_found_error"),
        (413, "invalid_request_error", "request_too_large"),
        (422, "invalid_request_error", "invalid_request_error"),
        (429, "rate_limit_error", "rate_limit_error"),
        (500, "server_error", "api_error"),
        (502, "server_error", "overloaded_error"),
        (504, "server_error", "timeout_error"),
        (529, "server_error", "overloaded_error"),
    ],
)
def test_types_by_status(status: int, openai: str, anthropic: str) -> None:
    """The error's type is what the client's API says for this status; 401 is not the client's."""
    assert relay(ANTHROPIC, "openai", status)["error"]["type"] == openai
    assert relay(OPENAI, "anthropic", status)["error"]["type"] == anthropic


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("rate_limit_error", "rate_limit_error"),
        ("invalid_request_error", "invalid_request_error"),
        ("server_error", "api_error"),
        ("overloaded_error", "overloaded_error"),
        ("unheard of", "overloaded_error"),
    ],
)
def test_types_in_a_stream(kind: str, expected: str) -> None:
    """An in-band error has no status: its own type decides."""
    assert (
        relay({"error": {"type": kind, "message": "m"}}, "anthropic")["error"]["type"] == expected
    )


@pytest.mark.parametrize(
    "message",
    [
        "prompt is too long: 210000 tokens > 200000 maximum",
        "This model's maximum context length is 8192 tokens.",
    ],
)
def test_prompt_that_is_too_long_has_openai_code(message: str) -> None:
    """Clients look for this code to shorten their prompt."""
    body = {"error": {"type": "invalid_request_error", "message": message}}
    assert relay(body, "openai", 400)["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body><h1>502 Bad Gateway</h1></body></html>",
        b"\xff\xfe",
        b"",
        None,
        17,
        {},
        {"error": {}},
        {"error": {"message": "<!DOCTYPE html><title>x</title>"}},
        {"error": {"message": 'Traceback (most recent call last):\n  File "a.py", line 3'}},
        {"error": {"message": "panic: x\ngoroutine 1 [running]:"}},
    ],
)
def test_what_is_not_for_clients_becomes_a_plain_message(body: object) -> None:
    """Markup, stack traces and nonsense are replaced."""
    assert relay(body, "ollama", 502) == {"error": "The provider answered with status 502."}
    assert relay(body, "ollama") == {"error": "The provider reported an error in its stream."}


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdef123456",
        "sk-ant-api03-AbC_d-123",
        "sk-pr****************cdef",
        "Bearer abcdef",
        "AIzaSyA1234567890abcdef",
        "api_key=abcdef123",
    ],
)
def test_credentials_never_pass(secret: str) -> None:
    """What looks like a key is starred out; the rest of the message stays."""
    body: Json = {"error": {"message": f"Incorrect key: {secret}, see the docs."}}
    said = relay(body, "ollama", 400)["error"]
    assert secret not in said
    assert said.startswith("Incorrect key: *****")
