"""Users by the admin API, and their calls."""

from __future__ import annotations

import httpx

from tests.support.calls import watch
from tests.support.gateway import Starter


def test_users(starter: Starter) -> None:
    """A user registers, gets a key, and every call is the user's; deleted, the key is too."""
    _, url = starter.simulator()
    policies = {"keys": {"users": [{"id": "ava"}], "teams": [{"id": "t"}]}}
    gateway = starter.gateway(policies=policies, provider_url=url)
    watcher = watch(gateway)
    users, keys = f"{gateway.admin_url}/admin/users", f"{gateway.admin_url}/admin/keys"
    made = httpx.post(users, json={"id": "bob", "name": "Bob", "team": "t"})
    assert made.status_code == 201
    assert made.json()["name"] == "Bob"
    key = httpx.post(keys, json={"user": "bob"}).json()["key"]
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    headers = {"authorization": f"Bearer {key}"}
    call = httpx.post(f"{gateway.url}/v1/chat/completions", json=body, headers=headers)
    assert call.status_code == 200
    [record] = watcher.wait(1)
    assert (record.user, record.team) == ("bob", "t")
    listed = {user["id"]: user["source"] for user in httpx.get(users).json()["users"]}
    assert listed == {"ava": "keys.yaml", "bob": "api"}
    assert httpx.delete(f"{users}/bob").status_code == 204
    call = httpx.post(f"{gateway.url}/v1/chat/completions", json=body, headers=headers)
    assert call.status_code == 401


def test_what_makes_no_sense(starter: Starter) -> None:
    """Taken ids are 409, unknown ones 404, bad ones 400."""
    gateway = starter.gateway(
        policies={"keys": {"users": [{"id": "ava"}]}}, provider_url="http://127.0.0.1:9"
    )
    users = f"{gateway.admin_url}/admin/users"
    assert httpx.post(users, json={}).status_code == 201
    assert httpx.post(users, json={"id": "ava"}).status_code == 409
    assert httpx.post(users, json={"id": "a b"}).status_code == 400
    assert httpx.post(users, json={"name": "x" * 201}).status_code == 400
    assert httpx.post(users, json={"age": 5}).status_code == 400
    assert httpx.post(users, content=b"[]").status_code == 400
    assert httpx.delete(f"{users}/nobody").status_code == 404
    assert httpx.delete(f"{users}/ava").status_code == 404
