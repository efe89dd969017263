from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from llmitm.config.policies import Policies
from llmitm.errors import Cause, GatewayError
from llmitm.keyring import Keyring
from llmitm.seeds.users import check_registered, register
from llmitm.stores.errors import Unavailable
from llmitm.stores.identities import open_identities


@pytest.fixture
async def keyring(tmp_path: Path) -> AsyncIterator[Keyring]:
    identities = open_identities(f"sqlite:///{tmp_path}/ledger.db")
    yield Keyring(identities, policies=Policies)
    await identities.close()


async def test_registered_users_are_known(keyring: Keyring) -> None:
    """Who registers is known from then on, and gets what was registered."""
    told = await register(keyring, {"name": " Ava "})
    assert told["name"] == "Ava"
    assert told["id"].startswith("user-")
    await check_registered(keyring, told["id"])


async def test_namesakes(keyring: Keyring) -> None:
    """A name is for show: two users may have the same."""
    first, second = [await register(keyring, {"name": "Ava"}) for _ in range(2)]
    assert first["id"] != second["id"]


async def test_users_of_another_process(keyring: Keyring, tmp_path: Path) -> None:
    """A user that another process has registered this moment is known at once."""
    told = await register(keyring, {"name": "Ava"})
    identities = open_identities(f"sqlite:///{tmp_path}/ledger.db")
    await check_registered(Keyring(identities, policies=Policies), told["id"])
    await identities.close()


@pytest.mark.parametrize("body", [{}, {"name": None}, {"name": " "}, {"name": "x" * 201}])
async def test_no_name(keyring: Keyring, body: Any) -> None:
    """A user needs a name of a sensible length."""
    with pytest.raises(GatewayError) as caught:
        await register(keyring, body)
    assert (caught.value.cause, caught.value.param) == (Cause.INVALID_REQUEST, "name")


async def test_strangers(keyring: Keyring) -> None:
    """Who has not registered is told how to."""
    with pytest.raises(GatewayError, match="/api/users") as caught:
        await check_registered(keyring, "user-123")
    assert (caught.value.code, caught.value.param) == ("unknown_user", "user_id")


async def test_database_away(keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database is away nobody can register, and who is known stays known."""
    known = (await register(keyring, {"name": "Ava"}))["id"]
    await check_registered(keyring, known)

    async def away(*_: object) -> None:
        raise Unavailable("away")

    monkeypatch.setattr(keyring.identities, "create_user", away)
    monkeypatch.setattr(keyring.identities, "version", away)
    await check_registered(keyring, known)
    for work in (register(keyring, {"name": "Ben"}), check_registered(keyring, "user-123")):
        with pytest.raises(GatewayError) as caught:
            await work
        assert (caught.value.cause, caught.value.retry_after) == (Cause.UPSTREAM_UNAVAILABLE, 1)
