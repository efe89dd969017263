"""Keys by the admin API: shown once, in force at once, gone at once."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.gateway import KEY, Gateway, Starter

CHAT = "/v1/chat/completions"


@pytest.fixture
def gateway(starter: Starter) -> Gateway:
    _, url = starter.simulator()
    policies = {"keys": {"users": [{"id": "ava", "team": "t"}], "teams": [{"id": "t"}],
                         "keys": [{"id": "dev", "key": KEY}]}}  # fmt: skip
    return starter.gateway(policies=policies, provider_url=url)


def admin(gateway: Gateway, method: str, path: str, **body: Any) -> httpx.Response:
    return httpx.request(method, f"{gateway.admin_url}/admin/keys{path}", json=body or None)


def create(gateway: Gateway, **body: Any) -> dict[str, Any]:
    reply = admin(gateway, "POST", "", **body)
    assert reply.status_code == 201, reply.text
    return dict(reply.json())


def status(gateway: Gateway, key: str, model: str = "m") -> int:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
    headers = {"authorization": f"Bearer {key}"}
    return httpx.post(gateway.url + CHAT, json=body, headers=headers).status_code


def test_create(gateway: Gateway) -> None:
    """A key works at once, with its models and limits; its secret is shown this once."""
    made = create(gateway, id="ci", user="ava", models=["m"], limits={"requests_per_minute": 2})
    secret = made["key"]
    assert secret.startswith("sk-llmitm-")
    assert [status(gateway, secret), status(gateway, secret, "other")] == [200, 403]
    assert [status(gateway, secret) for _ in range(2)] == [200, 429]
    listed = admin(gateway, "GET", "")
    assert secret not in listed.text
    assert "sha256" not in listed.text
    found = {key["id"]: key for key in listed.json()["keys"]}
    assert (found["ci"]["user"], found["ci"]["state"]) == ("ava", "on")
    assert found["ci"]["limits"] == {"requests_per_minute": 2}
    assert (found["dev"]["source"], found["ci"]["source"]) == ("keys.yaml", "api")


def test_disable_enable_delete(gateway: Gateway) -> None:
    """Each takes effect with its answer."""
    made = create(gateway)
    path = f"/{made['id']}"
    seen = [status(gateway, made["key"])]
    for method, action in (("POST", "/disable"), ("POST", "/enable"), ("DELETE", "")):
        assert admin(gateway, method, path + action).status_code in (200, 204)
        seen.append(status(gateway, made["key"]))
    assert seen == [200, 401, 200, 401]


def test_rotate(gateway: Gateway) -> None:
    """The old secret works for the overlap; both count against one limit, under the first id."""
    made = create(gateway, id="ci", limits={"requests_per_minute": 2})
    new = admin(gateway, "POST", "/ci/rotate", overlap="1h").json()
    assert new["rotated_from"] == "ci"
    assert new["accounted_as"] == "ci"
    assert [status(gateway, key) for key in (made["key"], new["key"], new["key"])] == [
        200, 200, 429,
    ]  # fmt: skip
    assert admin(gateway, "POST", "/ci/rotate").status_code == 400
    at_once = admin(gateway, "POST", f"/{new['id']}/rotate", overlap=0).json()
    assert [status(gateway, new["key"]), status(gateway, at_once["key"])] == [401, 429]


def test_expiry(gateway: Gateway) -> None:
    """A key whose time is over is refused."""
    made = create(gateway, expires="2020-01-01")
    assert status(gateway, made["key"]) == 401


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ({"id": "dev"}, 409, "policies/keys.yaml"),
        ({"user": "nobody"}, 400, "nobody"),
        ({"limits": {"requests_per_minute": 0}}, 400, "limits.requests_per_minute"),
        ({"budgets": [{"usd": 1, "per": "decade"}]}, 400, "budgets.0.per"),
        ({"color": "red"}, 400, "color"),
        ({"id": "no spaces"}, 400, "id"),
    ],
)
def test_what_makes_no_sense(gateway: Gateway, body: Any, code: int, said: str) -> None:
    """The answer names what is wrong, and no key is made."""
    reply = admin(gateway, "POST", "", **body)
    assert reply.status_code == code
    assert said in reply.json()["error"]
    assert len(admin(gateway, "GET", "").json()["keys"]) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/x/rotate"), ("POST", "/x/disable"), ("POST", "/x/enable"), ("DELETE", "/x")],
)
def test_unknown_keys(gateway: Gateway, method: str, path: str) -> None:
    """404, and where the key is one of the file's, the answer says so."""
    assert admin(gateway, method, path).status_code == 404
    reply = admin(gateway, method, path.replace("x", "dev"))
    assert reply.status_code == 404
    assert "policies/keys.yaml" in reply.json()["error"]
