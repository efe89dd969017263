"""Who may use the admin API: with a token, without one, and from a web page."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from multidict import CIMultiDict

from llmitm.admin.server import OPEN_PATHS, allowed
from llmitm.config.schema import Address, Secret
from tests.support.gateway import Gateway, Starter

TOKEN = "admin-canary-0123"
CLOSED = ("/admin/config", "/admin/targets", "/admin/keys", "/admin/usage", "/admin/calls")


def gateway_of(*, token: str | None = None, host: str = "127.0.0.1") -> Any:
    listen = SimpleNamespace(admin=Address(host, 4001))
    return SimpleNamespace(listen=listen, admin_token=Secret(token) if token else None)


def may(gateway: Any, **headers: str) -> bool:
    sent = {"host": "127.0.0.1:4001", **{k.replace("_", "-"): v for k, v in headers.items()}}
    request = SimpleNamespace(headers=CIMultiDict(sent), host=sent["host"])
    return allowed(cast("Any", request), gateway)


@pytest.mark.parametrize(
    ("headers", "let_in"),
    [
        ({"authorization": f"Bearer {TOKEN}"}, True),
        ({"authorization": f"bearer  {TOKEN} "}, True),
        ({"authorization": f"Bearer {TOKEN}x"}, False),
        ({"authorization": f"Bearer {TOKEN[:-1]}"}, False),
        ({"authorization": f"Basic {TOKEN}"}, False),
        ({"authorization": TOKEN}, False),
        ({"authorization": "Bearer "}, False),
        ({"authorization": "Bearer \udcff"}, False),
        ({}, False),
        ({"authorization": f"Bearer {TOKEN}", "origin": "https://ops.example.com"}, True),
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_with_a_token(headers: dict[str, str], let_in: bool, host: str) -> None:
    """With a token configured it is required, on loopback too."""
    assert may(gateway_of(token=TOKEN, host=host), **headers) is let_in


@pytest.mark.parametrize(
    ("host", "let_in"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
    ],
)
def test_without_a_token(host: str, let_in: bool) -> None:
    """Without one only a loopback listener is open."""
    assert may(gateway_of(host=host)) is let_in
    assert may(gateway_of(host=host), authorization="Bearer guess") is let_in


@pytest.mark.parametrize(
    ("headers", "let_in"),
    [
        ({"host": "localhost:4001"}, True),
        ({"host": "localhost"}, True),
        ({"host": "[::1]:4001"}, True),
        ({"host": "[::1]"}, True),
        ({"sec_fetch_site": "none"}, True),
        ({"sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "same-site"}, False),
        ({"origin": "https://example.com"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://127.0.0.1:4001"}, False),
        ({"host": "rebound.example.com:4001"}, False),
        ({"host": "127.0.0.1.example.com"}, False),
        ({"host": "[::1.example.com"}, False),
        ({"host": ""}, False),
    ],
)
def test_web_pages(headers: dict[str, str], let_in: bool) -> None:
    """A page that a browser shows can't use what is open to this machine's programs."""
    assert may(gateway_of(), **headers) is let_in


@pytest.fixture(params=[None, TOKEN])
def gateway(request: pytest.FixtureRequest, starter: Starter) -> Gateway:
    return starter.gateway({"admin_token": request.param}, provider_url="http://127.0.0.1:9")


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
def test_open_paths(gateway: Gateway, path: str) -> None:
    """Health and metrics need no token: what asks for them has none."""
    assert httpx.get(gateway.admin_url + path).status_code == 200


@pytest.mark.parametrize("path", CLOSED)
def test_closed_paths(gateway: Gateway, path: str) -> None:
    """Everything else does where there is one; a refusal says what to send, not what is right."""
    secret = gateway.master.loaded.gateway.admin_token is not None
    reply = httpx.get(gateway.admin_url + path)
    assert reply.status_code == (401 if secret else 200)
    if secret:
        assert "admin_token" in reply.json()["error"]
        headers = {"authorization": f"Bearer {TOKEN}"}
        reply = httpx.get(gateway.admin_url + path, headers=headers)
        assert reply.status_code == 200
    assert TOKEN not in reply.text


def test_unknown_paths(gateway: Gateway) -> None:
    """What isn't there is no secret either: who may not ask hears the same of every path."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    reply = httpx.get(f"{gateway.admin_url}/admin/nothing", headers=headers)
    assert (reply.status_code, list(reply.json())) == (404, ["error"])
    reply = httpx.put(f"{gateway.admin_url}/admin/targets", headers=headers)
    assert (reply.status_code, list(reply.json())) == (405, ["error"])
