"""Every refusal, in the dialect of the caller."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from ports import free_ports

from tests.support.calls import watch
from tests.support.gateway import KEY, Gateway, Starter
from tests.support.logged import logged


def closed_port() -> int:
    return free_ports(1)[0]


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


def assert_shape(dialect: str, answer: Any, code: str | None, kind: str) -> None:
    match dialect:
        case "openai":
            assert answer["error"]["code"] == code
            assert answer["error"]["message"]
        case "anthropic":
            assert answer["type"] == "error"
            assert answer["error"]["type"] == kind
        case "ollama":
            assert isinstance(answer["error"], str)


def counted(gateway: Gateway, name: str) -> dict[str, float]:
    """The samples of a metric that aren't 0, by their labels."""
    lines = httpx.get(gateway.admin_url + "/metrics").text.splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line.startswith(f"{name}{{"))
    return {labels: float(value) for labels, value in pairs if float(value)}


@pytest.mark.parametrize("dialect", PATHS)
@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_refusals(
    gateway: Gateway, dialect: str, case: tuple[Any, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    """Each refusal has its status and the caller's error shape, one log line and one metric."""
    _, key, content, status, code, kind = case
    headers = {"content-type": "application/json"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    watcher = watch(gateway)
    with logged(capfd) as log:
        reply = httpx.post(gateway.url + PATHS[dialect], content=content, headers=headers)
        watcher.wait()
        lines = log.calls
    assert reply.status_code == status, reply.text
    assert_shape(dialect, reply.json(), code, kind)
    request_id = reply.headers["x-request-id"]
    assert request_id.startswith("req_")
    if dialect == "anthropic":
        assert reply.headers["request-id"] == request_id
    assert [(line["request_id"], line["status"]) for line in lines] == [(request_id, status)]
    assert lines[0]["error"] is not None
    assert lines[0]["dialect"] == dialect
    ended = counted(gateway, "llmitm_requests_total")
    assert list(ended.values()) == [1]
    assert f'status="{status}"' in next(iter(ended))
    errors = counted(gateway, "llmitm_errors_total")
    assert list(errors.values()) == [1]
    assert f'cause="{lines[0]["error"]}"' in next(iter(errors))


def test_success(gateway: Gateway, capfd: pytest.CaptureFixture[str]) -> None:
    """So has a call that is answered, streamed or not; its line has no error."""
    watcher = watch(gateway)
    headers = {"authorization": f"Bearer {KEY}"}
    with logged(capfd) as log:
        for stream in (False, True):
            content = {**json.loads(body("good")), "stream": stream}
            httpx.post(gateway.url + PATHS["openai"], json=content, headers=headers)
        watcher.wait(2)
        lines = log.calls
    assert [(line["status"], line["error"], line["stream"]) for line in lines] == [
        (200, None, False),
        (200, None, True),
    ]
    assert lines[1]["ttft_ms"] > 0
    assert list(counted(gateway, "llmitm_requests_total").values()) == [2]
    assert counted(gateway, "llmitm_errors_total") == {}
