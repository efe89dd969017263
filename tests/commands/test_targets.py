"""Circuits of a running gateway, seen and changed from the command line."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
import yaml

from llmitm.commands.targets import reachable
from llmitm.config.schema import Address
from tests.journeys.test_errors import closed_port
from tests.support.gateway import KEY, Gateway, Starter
from tests.support.terminal import run


def pointed_at(config: Path, address: str, **more: Any) -> Path:
    """`config` with its admin listener there."""
    settings = yaml.safe_load(config.read_text())
    settings["listen"]["admin"] = address
    config.write_text(yaml.safe_dump({**settings, **more}))
    return config


@pytest.fixture
def gateway(starter: Starter) -> Gateway:
    _, url = starter.simulator()
    routes = [{"model": "*", "targets": [{"provider": "sim", "model": "one"}]}]
    resilience = {"circuit_breaker": {"consecutive_failures": 1}, "retry": {"attempts": 1}}
    return starter.gateway(
        {"admin_token": "admin-token"},
        {"routes": {"routes": routes}, "resilience": resilience},
        provider_url=url,
    )


@pytest.fixture
def config(gateway: Gateway) -> Path:
    host, port = gateway.master.admin_address
    return pointed_at(gateway.directory / "gateway.yaml", f"{host}:{port}")


def row(output: str) -> list[str]:
    """The cells of the only target: name, state, notes, in flight, failures, successes, next."""
    [line] = [line for line in output.splitlines() if line.startswith("│ sim/one")]
    return [cell.strip() for cell in line.split("│")[1:-1]]


def test_shows_and_changes(gateway: Gateway, config: Path) -> None:
    """A failure opens the circuit, a reset closes it; draining goes on and off."""
    assert row(run("targets", "-c", config).output)[:4] == ["sim/one", "closed", "", "0"]
    gateway.master.runtime.targets.base_urls["sim"] = f"http://127.0.0.1:{closed_port()}"
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    headers = {"x-api-key": KEY}
    assert httpx.post(f"{gateway.url}/v1/chat/completions", json=body, headers=headers).is_error
    opened = row(run("targets", "-c", config).output)
    assert opened[1] == "open"
    assert opened[6].endswith(" s")
    assert row(run("targets", "-c", config, "--reset", "sim/one").output)[1] == "closed"
    assert row(run("targets", "-c", config, "--drain", "sim/one").output)[2] == "draining"
    assert row(run("targets", "-c", config, "--undrain", "sim/one").output)[2] == ""


def test_unknown_target(config: Path) -> None:
    """A target that isn't there is said to be missing."""
    assert (
        "no target 'sim/two'" in run("targets", "-c", config, "--reset", "sim/two", code=1).output
    )


def test_wrong_token(config: Path) -> None:
    """Without the gateway's admin token it says which one is wanted."""
    settings = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({**settings, "admin_token": "another"}))
    assert "admin_token" in run("targets", "-c", config, code=1).output


def test_nobody_there(config: Path) -> None:
    """A closed port is no traceback."""
    pointed_at(config, f"127.0.0.1:{closed_port()}")
    assert "Is it running?" in run("targets", "-c", config, code=1).output


class Stranger(BaseHTTPRequestHandler):
    """Some other server."""

    body = b""
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("content-length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (200, b"{}"),
        (200, b"[]"),
        (404, b"not here"),
        (500, json.dumps(["odd"]).encode()),
    ],
)
def test_another_server(config: Path, status: int, body: bytes) -> None:
    """What is no gateway is told as such, whatever it answers."""
    handler = type("Handler", (Stranger,), {"status": status, "body": body})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        pointed_at(config, f"127.0.0.1:{server.server_port}")
        result = run("targets", "-c", config, code=1)
        server.shutdown()
    assert result.output.startswith("Error: ")


@pytest.mark.parametrize(
    ("listens", "reached"),
    [("0.0.0.0", "127.0.0.1:1"), ("::", "[::1]:1"), ("10.0.0.1", "10.0.0.1:1")],
)
def test_every_interface(listens: str, reached: str) -> None:
    """What listens on every interface is reached by loopback."""
    assert str(reachable(Address(listens, 1))) == reached
