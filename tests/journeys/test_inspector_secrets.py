"""No key of anyone is in the inspector, nor in what it gives away."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from tests.support.gateway import KEY, Starter
from tests.support.inspector import LISTEN, Inspecting, ask, inspected

PROVIDER_KEY = "sk-provider-canary-4711"
HEADER_KEY = "sk-header-canary-4712"
WRONG_KEY = "sk-wrong-canary-4713"
PASSWORD = "inspector-canary-4714"
CANARIES = (KEY, PROVIDER_KEY, HEADER_KEY, WRONG_KEY, PASSWORD)
PROVIDER = {"api_key": PROVIDER_KEY, "headers": {"x-extra-token": HEADER_KEY}}


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def everything(inspecting: Inspecting) -> bytes:
    """All that the inspector gives away, by every way there is."""
    paths = ("/flows", "/flows/dump", "/options", "/state", "/events", "/commands")
    parts = [inspecting.get(path).content for path in paths]
    for flow in inspecting.flows():
        for message in ("request", "response"):
            if flow.get(message):
                parts.append(inspecting.body(flow, message))
                parts += [inspecting.text(flow, message, v).encode() for v in ("auto", "raw")]
        for kind in ("curl", "httpie", "raw", "raw_request"):
            arguments = {"arguments": [kind, f"@{flow['id']}"]}
            parts.append(inspecting.post("/commands/export", json=arguments).content)
    return b"\n".join(parts)


def test_no_key_of_anyone(starter: Starter, pool: ThreadPoolExecutor) -> None:
    """Neither clients' nor providers' keys are in the UI, its exports or its files of flows."""
    settings = {"password": PASSWORD, "hold": "~b hold-me"}
    gateway, _ = inspected(starter, provider=PROVIDER, **settings)
    inspecting = Inspecting(gateway, authorization=f"Bearer {PASSWORD}")
    ask(gateway)
    ask(gateway, stream=True, model="saved")
    ask(gateway, key=WRONG_KEY)
    ask(gateway, model="refused")
    chat = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
    for headers in ({"x-api-key": KEY}, {"api-key": KEY}, {"x-goog-api-key": KEY}):
        httpx.post(gateway.url + "/v1/chat/completions", json=chat, headers=headers)
    httpx.post(f"{gateway.url}/v1/chat/completions?key={KEY}", json=chat)
    httpx.post(f"{gateway.url}/v1/chat/completions?api_key={WRONG_KEY}", json=chat)
    httpx.post(gateway.url + "/v1/chat/completions", json=chat, headers={"cookie": f"k={KEY}"})
    held = pool.submit(ask, gateway, "hold-me")
    inspecting.wait(lambda f: f["intercepted"])
    running = pool.submit(ask, gateway, stream=True, model="slow@ok:pace=3")
    inspecting.wait(lambda f: "streaming" in f["comment"])
    seen = everything(inspecting)
    inspecting.post("/flows/resume")
    assert held.result().status_code == running.result().status_code == 200
    seen += everything(inspecting)
    assert b"What is a gateway?" in seen and b"*****" in seen
    found = [c for c in CANARIES if c.encode() in seen]
    assert found == []


class Echo(BaseHTTPRequestHandler):
    """A provider that refuses, and says which key it refused."""

    def do_POST(self) -> None:
        key = self.headers["authorization"]
        body = json.dumps({"error": {"message": f"wrong key: {key}"}}).encode()
        self.send_response(400)
        self.send_header("content-type", "application/json")
        self.send_header("x-echo", key)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def test_a_providers_error_may_repeat_its_key(starter: Starter) -> None:
    """Some providers say which key they refused; the inspector does not."""
    with HTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        provider = {"api": "openai", "base_url": url, "api_key": PROVIDER_KEY}
        gateway = starter.gateway({"listen": LISTEN, "providers": {"sim": provider}})
        assert ask(gateway).status_code == 400
        inspecting = Inspecting(gateway)
        _, attempt = inspecting.flows()
        assert b"wrong key: Bearer *****" in inspecting.body(attempt, "response")
        assert PROVIDER_KEY.encode() not in everything(inspecting)
        server.shutdown()
