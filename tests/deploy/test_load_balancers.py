"""nginx, HAProxy, Caddy and Envoy with the files of deploy/load-balancers/, before a gateway."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from ports import free_ports
from websockets.sync.client import connect

from tests.support.balancers import KINDS, adapted, certificate, checked, running, trusting
from tests.support.gateway import KEY, Starter

MESSAGES = [{"role": "user", "content": "hi"}]
# It sends three tokens and then nothing, with the connection open.
STALLS = {"model": "sim@stall:after=3", "stream": True, "messages": MESSAGES}
BEARER = {"authorization": f"Bearer {KEY}"}


@dataclass
class Front:
    """A load balancer with a gateway behind it."""

    url: str
    client: httpx.Client
    folder: Path

    def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return self.client.post(self.url + path, json=body, headers=BEARER)

    def first_line(self, path: str, body: dict[str, Any]) -> str:
        """The first line of a stream that doesn't end: it came while the others are awaited."""
        with self.client.stream("POST", self.url + path, json=body, headers=BEARER) as reply:
            assert reply.status_code == 200
            return next(line for line in reply.iter_lines() if line)


def port_of(url: str) -> int:
    return httpx.URL(url).port or 0


@pytest.fixture(scope="module", params=KINDS)
def front(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    kind = KINDS[request.param]
    folder: Path = tmp_path_factory.mktemp(kind.name)
    starter = Starter(folder)
    try:
        _, provider = starter.simulator()
        gateway = starter.gateway(provider_url=provider)
        certificate(folder)
        port, closed = free_ports(2)
        admin = port_of(gateway.admin_url)
        config = adapted(kind, folder, port, port_of(gateway.url), admin, closed)
        done = checked(kind, config)
        assert done.returncode == 0, done.stdout + done.stderr
        with (
            running(kind, config, port),
            httpx.Client(http2=True, verify=trusting(folder)) as client,
        ):
            yield Front(f"https://127.0.0.1:{port}", client, folder)
    finally:
        starter.close()


def test_http2_in(front: Front) -> None:
    """A client speaks HTTP/2 to the load balancer and gets the gateway's answer."""
    reply = front.post("/v1/chat/completions", {"model": "sim-small", "messages": MESSAGES})
    assert reply.http_version == "HTTP/2"
    assert reply.status_code == 200
    assert reply.headers["x-llmitm-target"] == "sim/sim-small"


def test_sse_at_once(front: Front) -> None:
    """An event reaches the client while the rest of the stream is still awaited."""
    line = front.first_line("/v1/chat/completions", STALLS)
    assert json.loads(line.removeprefix("data: "))["choices"]


def test_ndjson_at_once(front: Front) -> None:
    """A line of Ollama's does too, which no load balancer knows for a stream."""
    assert json.loads(front.first_line("/api/chat", STALLS))["done"] is False


def test_a_gateway_that_is_gone_is_passed_by(front: Front) -> None:
    """Of two gateways one is gone: every call is answered by the other."""
    body = {"model": "sim-small", "messages": MESSAGES}
    statuses = [front.post("/v1/chat/completions", body).status_code for _ in range(12)]
    assert statuses == [200] * 12


def test_refusals_pass_unchanged(front: Front) -> None:
    """An error of the gateway is the client's, with its body and headers."""
    reply = front.client.post(f"{front.url}/v1/chat/completions", json={"model": "sim-small"})
    assert reply.status_code == 401
    assert reply.json()["error"]["code"] == "invalid_api_key"
    assert reply.headers["x-request-id"]


def test_large_bodies(front: Front) -> None:
    """A body of several megabytes is let through."""
    long = [{"role": "user", "content": "word " * 800_000}]
    reply = front.post("/v1/chat/completions", {"model": "sim-small", "messages": long})
    assert reply.status_code == 200


def test_websockets(front: Front) -> None:
    """A WebSocket is let through."""
    url = front.url.replace("https", "wss") + "/v1/realtime?model=sim-realtime"
    with connect(url, ssl=trusting(front.folder), additional_headers=BEARER) as socket:
        assert json.loads(socket.recv(timeout=60))["type"] == "session.created"
