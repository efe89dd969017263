"""Every refusal, in the dialect of the caller."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx
import pytest

from tests.support.gateway import KEY, Gateway, Starter


def closed_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.fixture
def gateway(starter: Starter) -> Gateway:
    _, url = starter.simulator()
    settings = {
        "providers": {
            "sim": {"api": "simulator", "base_url": url},
            "down": {"api": "simulator", "base_url": f"http://127.0.0.1:{closed_port()}"},
        },
        "http": {"max_body": 10_000},
    }
    policies: dict[str, Any] = {
        "keys": {
            "keys": [
                {"id": "dev", "key": KEY, "models": ["good*", "down", "now*"]},
                {"id": "old", "key": "sk-old", "expires": "2020-01-01"},
            ]
        },
        "routes": {
            "routes": [
                {"model": "good", "targets": [{"provider": "sim"}]},
                {"model": "secret", "targets": [{"provider": "sim"}]},
                {"model": "down", "targets": [{"provider": "down"}]},
            ]
        },
        "resilience": {"retry": {"attempts": 2, "base": 0.01, "max": 0.01}},
    }
    return starter.gateway(settings, policies)


PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages", "ollama": "/api/chat"}


def body(model: str) -> bytes:
    messages = [{"role": "user", "content": "hi"}]
    value = {"model": model, "messages": messages, "max_tokens": 5, "stream": False}
    return json.dumps(value).encode()


CASES = [
    ("wrong key", "sk-wrong", body("good"), 401, "invalid_api_key", "authentication_error"),
    ("no key", None, body("good"), 401, "invalid_api_key", "authentication_error"),
    ("expired key", "sk-old", body("good"), 401, "invalid_api_key", "authentication_error"),
    ("model not allowed", KEY, body("secret"), 403, "model_not_allowed", "permission_error"),
    ("unknown model", KEY, body("nowhere"), 404, "model_not_found", "not_found_error"),
    ("broken JSON", KEY, b'{"model": "good', 400, None, "invalid_request_error"),
    ("no model", KEY, b"{}", 400, None, "invalid_request_error"),
    ("too large", KEY, body("good" * 5000), 413, "request_too_large", "request_too_large"),
    ("upstream down", KEY, body("down"), 503, "server_is_overloaded", "overloaded_error"),
]


@pytest.mark.parametrize("dialect", PATHS)
def test_refusals(gateway: Gateway, dialect: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Each refusal has its status and the caller's error shape, one log line and one metric."""
    for name, key, content, status, code, kind in CASES:
        headers = {"content-type": "application/json"}
        if key:
            headers["authorization"] = f"Bearer {key}"
        reply = httpx.post(gateway.url + PATHS[dialect], content=content, headers=headers)
        assert reply.status_code == status, (name, reply.text)
        answer = reply.json()
        match dialect:
            case "openai":
                assert answer["error"]["code"] == code, name
                assert answer["error"]["message"]
            case "anthropic":
                assert answer["type"] == "error"
                assert answer["error"]["type"] == kind, name
                assert reply.headers["request-id"] == reply.headers["x-request-id"]
            case "ollama":
                assert isinstance(answer["error"], str)
        assert reply.headers["x-request-id"].startswith("req_")
    metrics = httpx.get(gateway.admin_url + "/metrics").text
    ended = [
        line
        for line in metrics.splitlines()
        if line.startswith("llmitm_requests_total{") and not line.endswith(" 0.0")
    ]
    assert sum(float(line.rsplit(" ", 1)[1]) for line in ended) == len(CASES)
