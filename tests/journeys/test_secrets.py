"""No key gets where it doesn't belong: canaries are planted, and all is searched for them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from mitmproxy import http
from mitmproxy.io import FlowWriter

from llmitm.call import Attempt, call_of
from llmitm.simulator.server import Simulator
from tests.support.calls import Watcher, watch
from tests.support.gateway import Gateway, Starter
from tests.support.logged import logged
from tests.support.wire import Upstream, chat, completion, connect, reply, request

CLIENT_KEY = "sk-canary-of-the-client-1a2b3c"
PROVIDER_KEY = "sk-canary-of-the-provider-4d5e6f"
HEADER_KEY = "canary-in-a-header-7a8b9c"
ADMIN_TOKEN = "canary-of-the-admin-0d1e2f"
CANARIES = (CLIENT_KEY, PROVIDER_KEY, HEADER_KEY, ADMIN_TOKEN)
ENV = {
    "CLIENT_KEY": CLIENT_KEY,
    "PROVIDER_KEY": PROVIDER_KEY,
    "HEADER_KEY": HEADER_KEY,
    "ADMIN_TOKEN": ADMIN_TOKEN,
}
MODELS = ("m", "m@400", "m@401", "m@500", "m@cut:after=2", "m@error-event", "m@malformed", "m@429")
PATHS = {"/v1/chat/completions": "openai", "/v1/messages": "anthropic", "/api/chat": "ollama"}


@dataclass
class Saver:
    """An addon that saves every flow in every state, as mitmproxy does with `-w`."""

    file: io.BytesIO = field(default_factory=io.BytesIO)
    attempts: list[str] = field(default_factory=list)

    def _save(self, flow: http.HTTPFlow) -> None:
        FlowWriter(self.file).add(flow)
        self.attempts.append(repr(call_of(flow)))

    request = response = error = call_end = _save

    def upstream_response(self, flow: http.HTTPFlow, attempt: Attempt) -> None:
        self._save(flow)
        self.attempts.append(repr(attempt))


def settings(url: str) -> dict[str, Any]:
    return {
        "admin_token": "${ADMIN_TOKEN}",
        "providers": {
            "sim": {
                "api": "simulator",
                "base_url": url,
                "api_key": "${PROVIDER_KEY}",
                "headers": {"x-of-ours": "${HEADER_KEY}"},
            }
        },
    }


# A target each, since one whose key was refused is not asked again for a while.
ROUTED = (*MODELS, "echo-0", "echo-1", "echo-2")
POLICIES: dict[str, Any] = {
    "routes": {
        "routes": [{"model": m, "targets": [{"provider": "sim", "model": m}]} for m in ROUTED]
    },
    "keys": {"keys": [{"id": "dev", "key": "${CLIENT_KEY}"}]},
    "resilience": {
        "retry": {"attempts": 2, "base": 0.001, "max": 0.001},
        "circuit_breaker": {"enabled": False},
    },
}


@dataclass
class Stage:
    gateway: Gateway
    simulator: Simulator
    saver: Saver
    watcher: Watcher
    directory: Path


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    starter = Starter(tmp_path)
    try:
        simulator, url = starter.simulator(api_key=PROVIDER_KEY)
        gateway = starter.gateway(settings(url), POLICIES, env=ENV)
        saver = Saver()
        gateway.call(lambda: gateway.master.observers.append(saver))
        yield Stage(gateway, simulator, saver, watch(gateway), tmp_path)
    finally:
        starter.close()


def call_everything(url: str) -> list[httpx.Response]:
    """Calls of every dialect that end in every way, with the key in every place it may be."""
    replies = []
    headers = {"x-goog-api-key": CLIENT_KEY, "api-key": CLIENT_KEY}
    with httpx.Client(base_url=url, headers={**headers, "x-api-key": CLIENT_KEY}) as client:
        for path in PATHS:
            for model in MODELS:
                for stream in (False, True):
                    body = {"model": model, "max_tokens": 9, "stream": stream}
                    body["messages"] = [{"role": "user", "content": "hi"}]
                    replies.append(client.post(path, json=body))
        replies.append(client.get("/v1/models", headers={"authorization": f"Bearer {CLIENT_KEY}"}))
        replies.append(client.get(f"/v1/files?key={CLIENT_KEY}&limit=1"))
        replies.append(client.post("/v1/files", files={"file": b"x"}, data={"purpose": "batch"}))
        wrong = dict.fromkeys((*headers, "x-api-key"), "sk-wrong")
        replies.append(client.get("/v1/models", headers=wrong))
    return replies


def found(where: str, data: bytes, allowed: tuple[str, ...] = ()) -> list[str]:
    """The canaries in `data` that must not be there."""
    return [f"{key} in {where}" for key in CANARIES if key not in allowed and key.encode() in data]


def test_canaries(stage: Stage, capfd: pytest.CaptureFixture[str]) -> None:
    """After calls of every kind, no key is in a reply, flow, log, metric, ledger or admin page."""
    gateway = stage.gateway
    with logged(capfd, "debug") as log:
        replies = call_everything(gateway.url)
        stage.watcher.wait(len(replies))
        leaks = found("log", log.text.encode())
        assert len(log.calls) == len(replies)
    admin = {"authorization": f"Bearer {ADMIN_TOKEN}"}
    pages = [
        httpx.get(gateway.admin_url + path, headers=admin)
        for path in ("/metrics", "/admin/config", "/admin/targets", "/readyz")
    ]
    assert all(page.status_code == 200 for page in pages)
    for answer in (*replies, *pages):
        leaks += found(str(answer.url.path), str(answer.headers).encode() + answer.content)
    leaks += found("flows", stage.saver.file.getvalue())
    leaks += found("records", "".join(stage.saver.attempts).encode())
    gateway.stop()
    files = [path for path in stage.directory.rglob("*") if path.is_file()]
    assert any(path.name == "ledger.db" for path in files)
    for path in files:
        leaks += found(str(path), path.read_bytes())
    assert not leaks


def test_what_the_provider_sees(stage: Stage) -> None:
    """The provider is shown its own key and never the client's."""
    call_everything(stage.gateway.url)
    assert len(stage.simulator.requests) > 50
    for record in stage.simulator.requests:
        seen = json.dumps(record.public()).encode()
        assert not found(record.path, seen, allowed=(PROVIDER_KEY, HEADER_KEY))
        assert record.headers["x-of-ours"] == HEADER_KEY


ECHO = json.dumps(
    {"error": {"message": f"Incorrect API key provided: {PROVIDER_KEY}", "type": "x", "code": "y"}}
).encode()


@pytest.mark.parametrize("status", [400, 401, 422, 429, 500, 503])
@pytest.mark.parametrize("path", PATHS)
def test_provider_that_repeats_its_key(
    starter: Starter, status: int, path: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A provider's error that repeats our key reaches the client without it, whatever its form."""
    with Upstream() as upstream, logged(capfd, "debug") as log:
        policies = {**POLICIES, "resilience": {**POLICIES["resilience"], "retry": {"attempts": 1}}}
        gateway = starter.gateway(settings(upstream.url), policies, env=ENV)
        saver = Saver()
        gateway.call(lambda: gateway.master.observers.append(saver))
        watcher = watch(gateway)
        headers = {"authorization": f"Bearer {CLIENT_KEY}", "content-type": "application/json"}
        bodies = (ECHO, b'"%b"' % PROVIDER_KEY.encode(), f"<html>{PROVIDER_KEY}".encode())
        for number, body in enumerate(bodies):
            asked = chat(f"echo-{number}", max_tokens=5, stream=False)
            with connect(gateway.url) as client:
                client.send(request("POST", path, asked, headers))
                peer, _ = upstream.request()
                peer.send(reply(status, body, {"x-echo": HEADER_KEY, "connection": "close"}))
                peer.close()
                answer = client.message()
            assert not found("reply", str(answer).encode())
        watcher.wait(3)
        assert not found("flows", saver.file.getvalue() + "".join(saver.attempts).encode())
        assert not found("log", log.text.encode())


def test_answer_that_repeats_a_key_in_a_header(starter: Starter) -> None:
    """A header of an answer that repeats our key reaches the client without it."""
    with Upstream() as upstream:
        gateway = starter.gateway(settings(upstream.url), POLICIES, env=ENV)
        with connect(gateway.url) as client:
            headers = {"authorization": f"Bearer {CLIENT_KEY}"}
            client.send(request("POST", "/v1/chat/completions", chat("echo-0"), headers))
            peer, asked = upstream.request()
            assert asked.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
            assert asked.headers["x-of-ours"] == HEADER_KEY
            echo = {"x-echo": f"Bearer {PROVIDER_KEY}", "x-other": HEADER_KEY}
            peer.send(reply(200, completion(), echo))
            answer = client.message()
    assert answer.headers["x-echo"] == "Bearer *****"
    assert answer.headers["x-other"] == "*****"


def test_admin_api_needs_its_token(stage: Stage) -> None:
    """Without the admin token the admin API says nothing, and a client's key is none."""
    for headers in ({}, {"authorization": f"Bearer {CLIENT_KEY}"}):
        for path in ("/admin/config", "/admin/targets"):
            answer = httpx.get(stage.gateway.admin_url + path, headers=headers)
            assert answer.status_code == 401
            assert not found(path, answer.content)
