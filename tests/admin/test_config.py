"""The configuration in force, and edits that were refused."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import yaml

from tests.support.gateway import Gateway, Starter

CANARIES = ("admin-canary", "provider-canary", "header-canary", "sk-client-0123456789", "redis-pw")


@pytest.fixture
def gateway(starter: Starter) -> Gateway:
    provider = {
        "api": "openai",
        "base_url": "http://127.0.0.1:9/v1",
        "api_key": "provider-canary",
        "headers": {"x-secret": "${HEADER}"},
    }
    return starter.gateway(
        {"providers": {"sim": provider}, "admin_token": "admin-canary"},
        env={"HEADER": "header-canary"},
    )


def ask(gateway: Gateway, method: str = "GET", path: str = "/admin/config") -> httpx.Response:
    headers = {"authorization": "Bearer admin-canary"}
    return httpx.request(method, gateway.admin_url + path, headers=headers)


def test_shows(gateway: Gateway) -> None:
    """Listeners, providers, files, routes and keys; none of their secrets."""
    reply = ask(gateway)
    found: dict[str, Any] = reply.json()
    assert found["routes"] == [{"model": "*", "strategy": "priority", "targets": ["sim/*"]}]
    assert found["keys"] == ["dev"]
    assert found["errors"] == []
    assert found["gateway"]["providers"]["sim"]["base_url"] == "http://127.0.0.1:9/v1"
    names = [path.rpartition("/")[2] for path in found["files"]]
    assert sorted(names) == ["gateway.yaml", "keys.yaml", "routes.yaml"]
    assert not [canary for canary in CANARIES if canary in json.dumps(found)]


def test_reload(gateway: Gateway) -> None:
    """A good edit is in force at once, a broken one changes nothing and says why."""
    route = {"model": "new", "targets": [{"provider": "sim"}]}
    (gateway.policies / "routes.yaml").write_text(yaml.safe_dump({"routes": [route]}))
    reply = ask(gateway, "POST", "/admin/config/reload")
    assert reply.status_code == 200
    assert [route["model"] for route in reply.json()["routes"]] == ["new"]
    (gateway.policies / "routes.yaml").write_text("routes: [{model: other}]\n")
    reply = ask(gateway, "POST", "/admin/config/reload")
    assert reply.status_code == 422
    assert [route["model"] for route in reply.json()["routes"]] == ["new"]
    problems = reply.json()["errors"]
    assert "routes.yaml:1: routes[0].targets" in problems[0]
    assert ask(gateway).json()["errors"] == problems
