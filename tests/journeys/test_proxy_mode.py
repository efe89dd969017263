"""An SDK that knows only a proxy and its CA is governed like one that knows the gateway."""

from __future__ import annotations

import json
import socket
import sqlite3
import ssl
import subprocess
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from anthropic import Anthropic
from websockets.sync.client import connect

from llmitm.proxy_mode import CA_CERTIFICATE
from tests.support.gateway import KEY, Gateway, Starter
from tests.support.tools import tool

REGULAR = "regular@127.0.0.1:0"
DOWN = "http://127.0.0.1:9"
POLICIES: dict[str, Any] = {
    "keys": {
        "users": [{"id": "ava"}],
        "keys": [
            {"id": "dev", "key": KEY, "user": "ava"},
            {"id": "few", "key": "sk-few", "limits": {"requests_per_minute": 1}},
        ],
    },
    "routes": {
        "routes": [
            {"model": "saved", "targets": [{"provider": "down"}, {"provider": "sim"}]},
            {"model": "*", "targets": [{"provider": "sim"}]},
        ]
    },
    "resilience": {"retry": {"attempts": 2, "base": 0.01, "max": 0.01}},
}
HELLO: Any = [{"role": "user", "content": "hello"}]


@pytest.fixture
def start(starter: Starter) -> Callable[..., Gateway]:
    def begin(mode: str = REGULAR, **intercept: Any) -> Gateway:
        _, url = starter.simulator()
        settings = {
            "listen": {
                "gateway": "127.0.0.1:0",
                "admin": "127.0.0.1:0",
                "inspector": None,
                "intercept": [mode],
            },
            "intercept": {"ca": "ca", **intercept},
            "providers": {
                "sim": {"api": "simulator", "base_url": url},
                "down": {"api": "simulator", "base_url": DOWN},
            },
        }
        return starter.gateway(settings, POLICIES)

    return begin


def proxy(gateway: Gateway, mode: str = REGULAR) -> tuple[str, int]:
    """Where a mode of mitmproxy's listens."""
    host, port, *_ = gateway.master.addons.get("proxyserver").servers[mode].listen_addrs[0]
    return host, port


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> Callable[[Gateway], None]:
    """Sets what an application in a governed network has: a proxy and a CA, nothing else."""

    def set_env(gateway: Gateway) -> None:
        host, port = proxy(gateway)
        monkeypatch.setenv("HTTPS_PROXY", f"http://{host}:{port}")
        monkeypatch.setenv("HTTP_PROXY", f"http://{host}:{port}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")  # the gateway lives in this process too
        monkeypatch.setenv("SSL_CERT_FILE", str(gateway.directory / "ca" / CA_CERTIFICATE))

    return set_env


def ledger(gateway: Gateway, count: int) -> list[tuple[Any, ...]]:
    """The ledger's rows, once there are `count`."""
    for _ in range(1000):
        with sqlite3.connect(gateway.directory / "ledger.db") as database:
            rows = database.execute(
                "SELECT key_id, status, model, client FROM calls ORDER BY ts"
            ).fetchall()
        if len(rows) >= count:
            return rows
        time.sleep(0.05)
    raise AssertionError(f"{len(rows)} of {count} calls are in the ledger")


def test_sdk_with_only_a_proxy(
    start: Callable[..., Gateway], through: Callable[[Gateway], None]
) -> None:
    """OpenAI's SDK without a base_url is authenticated, limited, failed over and accounted."""
    gateway = start()
    through(gateway)
    client = openai.OpenAI(api_key=KEY, max_retries=0)
    whole = client.chat.completions.with_raw_response.create(model="saved", messages=HELLO)
    assert whole.headers["x-llmitm-target"] == "sim/saved"
    assert whole.headers["x-llmitm-attempts"] == "2"
    assert whole.parse().choices[0].message.content
    stream = client.chat.completions.create(model="gpt-4o", messages=HELLO, stream=True)
    assert len(list(stream)) > 5
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(api_key="sk-wrong").chat.completions.create(model="gpt-4o", messages=HELLO)
    few = openai.OpenAI(api_key="sk-few", max_retries=0)
    few.chat.completions.create(model="gpt-4o", messages=HELLO)
    with pytest.raises(openai.RateLimitError) as refused:
        few.chat.completions.create(model="gpt-4o", messages=HELLO)
    assert refused.value.code == "rate_limit_exceeded"
    assert [row[:3] for row in ledger(gateway, 5)] == [
        ("dev", 200, "saved"),
        ("dev", 200, "gpt-4o"),
        (None, 401, None),
        ("few", 200, "gpt-4o"),
        ("few", 429, "gpt-4o"),
    ]


def test_other_apis(start: Callable[..., Gateway], through: Callable[[Gateway], None]) -> None:
    """Anthropic's SDK, and an API whose paths begin elsewhere, arrive where they belong."""
    gateway = start()
    through(gateway)
    said = Anthropic(api_key=KEY).messages.create(model="claude", max_tokens=9, messages=HELLO)
    assert said.content
    groq = openai.OpenAI(api_key=KEY, base_url="https://api.groq.com/openai/v1")
    assert groq.chat.completions.create(model="llama", messages=HELLO).choices
    assert [row[2] for row in ledger(gateway, 2)] == ["claude", "llama"]


def test_streams_stream(start: Callable[..., Gateway], through: Callable[[Gateway], None]) -> None:
    """The first event of a paced stream arrives long before its end."""
    gateway = start()
    through(gateway)
    client = openai.OpenAI(api_key=KEY)
    stream = client.chat.completions.create(model="x@stall:after=3", messages=HELLO, stream=True)
    with stream:
        assert next(iter(stream)).choices  # the rest never comes


def test_other_hosts_are_refused(
    start: Callable[..., Gateway], through: Callable[[Gateway], None]
) -> None:
    """A host that is no LLM API is refused, at once or with a reply that says why."""
    gateway = start()
    through(gateway)
    with pytest.raises(httpx.ProxyError, match="403"):
        httpx.get("https://example.org/")
    reply = httpx.get("http://example.org/")
    assert reply.status_code == 403
    assert "language models" in reply.text


def test_other_hosts_may_pass(start: Callable[..., Gateway], starter: Starter) -> None:
    """With `other_hosts: pass` another server is reached, but not the gateway's own listeners."""
    gateway = start(other_hosts="pass")
    host, port = proxy(gateway)
    _, url = starter.simulator()
    with httpx.Client(proxy=f"http://{host}:{port}") as client:
        assert client.get(f"{url}/_sim/faults").status_code == 200
        assert client.get(f"{gateway.admin_url}/admin/targets").status_code == 502


def test_tunnels_to_nowhere(start: Callable[..., Gateway]) -> None:
    """Bytes that are neither TLS nor HTTP don't pass, whatever host they claim to be for."""
    gateway = start()
    with socket.create_connection(proxy(gateway)) as connection:
        connection.sendall(b"CONNECT api.openai.com:443 HTTP/1.1\r\nHost: api.openai.com\r\n\r\n")
        assert b" 200 " in connection.recv(4096)
        connection.sendall(b"\x00\x01\x02 not http\r\n\r\n")
        connection.settimeout(60)
        assert connection.recv(4096) == b""


def test_reverse_mode(start: Callable[..., Gateway]) -> None:
    """A `reverse` listener for an LLM API feeds the gateway too."""
    mode = "reverse:https://api.openai.com@127.0.0.1:0"
    gateway = start(mode)
    host, port = proxy(gateway, mode)
    client = openai.OpenAI(api_key=KEY, base_url=f"http://{host}:{port}/v1")
    assert client.chat.completions.create(model="gpt-4o", messages=HELLO).choices
    assert [row[0] for row in ledger(gateway, 1)] == ["dev"]


def test_socks5(start: Callable[..., Gateway]) -> None:
    """A program that knows SOCKS only is governed; the proxy looks up no name for it."""
    mode = "socks5@127.0.0.1:0"
    gateway = start(mode)
    where = "{}:{}".format(*proxy(gateway, mode))

    def ask(url: str, *options: str) -> list[str]:
        trust = ("--cacert", str(gateway.directory / "ca" / CA_CERTIFICATE))
        body = json.dumps({"model": "gpt-4o", "messages": HELLO})
        command = [tool("curl"), "-sS", "--socks5-hostname", where, *trust, "-d", body, *options]
        command += ["-w", "\n%{http_code}", url]
        done = subprocess.run(command, text=True, capture_output=True, check=True)
        return done.stdout.rsplit("\n", 1)

    url = "https://api.openai.com/v1/chat/completions"
    body, status = ask(url, "-H", f"authorization: Bearer {KEY}")
    assert (status, json.loads(body)["object"]) == ("200", "chat.completion")
    assert ask(url)[1] == "401"
    assert ask("https://example.org/")[1] == "403"
    assert [row[0] for row in ledger(gateway, 2)] == ["dev", None]


def test_ca_stays_private(start: Callable[..., Gateway]) -> None:
    """The key of the certificate authority is for its owner only, and is kept over a restart."""
    gateway = start()
    ca: Path = gateway.directory / "ca"
    assert ca.stat().st_mode & 0o077 == 0
    assert (ca / CA_CERTIFICATE).is_file()


def test_realtime(start: Callable[..., Gateway]) -> None:
    """A WebSocket session goes through the proxy too."""
    gateway = start()
    host, port = proxy(gateway)
    trusted = ssl.create_default_context(cafile=str(gateway.directory / "ca" / CA_CERTIFICATE))
    with connect(
        "wss://api.openai.com/v1/realtime?model=gpt-realtime",
        additional_headers={"authorization": f"Bearer {KEY}"},
        proxy=f"http://{host}:{port}",
        ssl=trusted,
    ) as session:
        assert json.loads(session.recv())["type"] == "session.created"
    assert ledger(gateway, 1)[0][:2] == ("dev", 101)


def test_the_clients_address(start: Callable[..., Gateway]) -> None:
    """The ledger has the address of the client, not of the proxy."""
    gateway = start()
    host, port = proxy(gateway)
    client = HTTPConnection(host, port, source_address=("127.0.0.7", 0))
    body = json.dumps({"model": "gpt-4o", "messages": HELLO})
    url = "http://api.openai.com/v1/chat/completions"
    client.request("POST", url, body, {"authorization": f"Bearer {KEY}"})
    assert client.getresponse().status == 200
    client.close()
    assert ledger(gateway, 1)[0][3] == "127.0.0.7"
