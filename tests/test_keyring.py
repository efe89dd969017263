"""Every key that opens the door, from the file and from the database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from llmitm import keyring as module
from llmitm.config.schema import Key, LimitPolicy, Policies
from llmitm.keyring import Keyring, digest_of, new_secret
from llmitm.stores.errors import Unavailable
from llmitm.stores.identities import Identities, KeyRow, UserRow, open_identities


def policies(**file: Any) -> Policies:
    keys = (
        Key.model_validate({"id": "dev", "key": "sk-dev"}),
        Key.model_validate({"id": "off", "key": "sk-off", "enabled": False}),
    )
    return Policies(keys=keys, limits=LimitPolicy.model_validate(file))


@pytest.fixture
async def identities(tmp_path: Any) -> AsyncIterator[Identities]:
    identities = open_identities(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield identities
    await identities.close()


def row(name: str, **fields: Any) -> KeyRow:
    fields = {"user": None, "team": None, "settings": {}, "created_at": 0.0, **fields}
    return KeyRow(id=name, digest=digest_of(f"sk-{name}"), **fields)


def found(keyring: Keyring, name: str) -> str | None:
    key = keyring.find(digest_of(f"sk-{name}"))
    return key.id if key else None


async def test_file_and_database(identities: Identities) -> None:
    """Both open the door; what is disabled or over does not."""
    for each in (
        row("made"),
        row("over", expires_at=1.0),
        row("stopped", disabled_at=1.0),
        row("second", origin="first", rotated_from="first"),
    ):
        await identities.create_key(each)
    keyring = Keyring(identities, policies)
    await keyring.refresh()
    names = ("dev", "off", "made", "over", "stopped", "second", "nobody")
    assert [found(keyring, name) for name in names] == [
        "dev", None, "made", None, None, "first", None,
    ]  # fmt: skip


async def test_a_key_is_completed(identities: Identities) -> None:
    """With its user's team and the defaults of the policies in force."""
    await identities.create_user(UserRow("bob", "Bob", "t", 0.0))
    await identities.create_key(row("made", user="bob"))
    now = [policies(key={"limits": {"requests_per_minute": 5}})]
    keyring = Keyring(identities, lambda: now[0])
    await keyring.refresh()
    key = keyring.find(digest_of("sk-made"))
    assert key is not None
    assert (key.user, key.team, key.limits.requests_per_minute) == ("bob", "t", 5)
    assert keyring.has_user("bob")
    now[0] = policies(key={"limits": {"requests_per_minute": 6}})
    key = keyring.find(digest_of("sk-made"))
    assert key is not None
    assert key.limits.requests_per_minute == 6


async def test_settings_that_make_no_sense(identities: Identities) -> None:
    """A row that this version doesn't understand opens nothing, and hides no other."""
    await identities.create_key(row("odd", settings={"color": "red"}))
    await identities.create_key(row("made"))
    keyring = Keyring(identities, policies)
    await keyring.refresh()
    assert (found(keyring, "odd"), found(keyring, "made")) == (None, "made")


async def test_it_follows_the_database(
    identities: Identities, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes come in by themselves; while the database is away, what was known stays."""
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)
    keyring = Keyring(identities, policies)
    looked = asyncio.Event()
    version = identities.version
    away = False

    async def look() -> int:
        looked.set()
        if away:
            raise Unavailable("away")
        return await version()

    monkeypatch.setattr(identities, "version", look)
    running = asyncio.create_task(keyring.run())

    async def turns(count: int) -> None:
        for _ in range(count):
            looked.clear()
            await looked.wait()

    await identities.create_key(row("made"))
    await turns(3)
    assert found(keyring, "made") == "made"
    away = True
    await turns(3)
    assert found(keyring, "made") == "made"
    away = False
    await identities.disable_key("made", 1.0)
    await turns(3)
    assert found(keyring, "made") is None
    running.cancel()


def test_secrets() -> None:
    """Each is another, long, and recognisable."""
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(secret.startswith("sk-llmitm-") and len(secret) > 50 for secret in secrets)
