"""The addon that registers users."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mitmproxy import http

from addons import seed_users
from addons.seed_users import SeedUsers
from llmitm.config.policies import Policies
from llmitm.errors import GatewayError
from llmitm.keyring import Keyring
from llmitm.stores.identities import open_identities
from tests.seeds.flows import flow_of
from tests.seeds.live import live


@pytest.fixture
async def addon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SeedUsers]:
    identities = open_identities(f"sqlite:///{tmp_path}/ledger.db")
    running = live(keyring=Keyring(identities, policies=Policies))
    monkeypatch.setattr(seed_users, "runtime", lambda: running)
    yield SeedUsers()
    await identities.close()


async def test_registers(addon: SeedUsers) -> None:
    """A name is registered and told back with an id and a time."""
    flow, call = flow_of("/api/users", {"name": "Ava"})
    call.operation = "users"
    await addon.request(flow)
    assert flow.response is not None
    assert flow.response.status_code == 201
    assert list(json.loads(flow.response.content or b"")) == ["id", "name", "created_at"]


async def test_no_json(addon: SeedUsers) -> None:
    """Anything but a JSON object is refused."""
    flow, call = flow_of("/api/users", b"name=Ava")
    call.operation = "users"
    with pytest.raises(GatewayError, match="JSON object"):
        await addon.request(flow)


@pytest.mark.parametrize("response", [None, http.Response.make(405)])
async def test_leaves_others_alone(addon: SeedUsers, response: http.Response | None) -> None:
    """What is answered already, or asks for something else, passes."""
    flow, call = flow_of("/api/users", {"name": "Ava"})
    call.operation = "users" if response else "other"
    flow.response = response
    await addon.request(flow)
    assert flow.response is response
