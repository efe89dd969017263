"""Keys and users made at run time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from llmitm.config.schema import Key, Policies, User
from llmitm.identity import IdentityDesk, Unknown, state_of
from llmitm.keyring import digest_of
from llmitm.stores.identities import Exists, Identities, KeyRow, open_identities

POLICIES = Policies(
    keys=(Key.model_validate({"id": "dev", "key": "sk-dev"}),), users={"ava": User(id="ava")}
)


@pytest.fixture
async def identities(tmp_path: Any) -> AsyncIterator[Identities]:
    identities = open_identities(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield identities
    await identities.close()


@pytest.fixture
def desk(identities: Identities) -> IdentityDesk:
    return IdentityDesk(identities, POLICIES)


async def test_create_key(desk: IdentityDesk, identities: Identities) -> None:
    """What was wished is kept, its secret is not; an id is made up where none is given."""
    wish = {"user": "ava", "models": ["m"], "budgets": [{"usd": 5, "per": "day"}],
            "expires": "2030-01-01", "max_usd_per_call": "0.5"}  # fmt: skip
    made = await desk.create_key(wish)
    [row] = await identities.keys()
    assert row == made.row
    assert row.digest == digest_of(made.secret)
    assert row.settings == {name: wish[name] for name in ("models", "budgets", "max_usd_per_call")}
    assert (row.user, row.expires_at) == ("ava", 1_893_456_000.0)
    assert row.id.startswith("key-")


async def test_a_disabled_key(desk: IdentityDesk) -> None:
    """A key may be made that does not work yet."""
    made = await desk.create_key({"id": "later", "enabled": False})
    assert state_of(made.row) == "disabled"
    await desk.enable_key("later", True)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"user": "nobody"}, "user: there is no user 'nobody'"),
        ({"models": "gpt"}, "models"),
        ({"color": 1}, "color"),
        ({"budgets": [{"usd": -1, "per": "day"}]}, "budgets.0.usd"),
        ({"key": "sk-my-own"}, "key: "),
        ({"id": "x" * 201}, "id: must be of at most 200"),
    ],
)
async def test_a_wish_that_makes_no_sense(
    desk: IdentityDesk, identities: Identities, wish: dict[str, Any], said: str
) -> None:
    """It names the field, and nothing is made."""
    with pytest.raises(ValueError, match=said):
        await desk.create_key(wish)
    assert await identities.keys() == []


async def test_taken(desk: IdentityDesk) -> None:
    """Ids of the file are taken too, and it is said where they are."""
    await desk.create_key({"id": "ci"})
    await desk.create_user({"id": "bo"})
    for key_id, said in (("ci", "there is a key 'ci' already"), ("dev", "keys.yaml has a key")):
        with pytest.raises(Exists, match=said):
            await desk.create_key({"id": key_id})
    for user_id, said in (("bo", "there is a user 'bo' already"), ("ava", "keys.yaml has a user")):
        with pytest.raises(Exists, match=said):
            await desk.create_user({"id": user_id})


async def test_rotation(desk: IdentityDesk, identities: Identities) -> None:
    """The new key goes on where the old one was, which ends after the overlap."""
    old = await desk.create_key({"id": "ci", "models": ["m"]})
    new = await desk.rotate_key("ci", overlap=60)
    assert (new.row.origin, new.row.rotated_from) == ("ci", "ci")
    assert new.row.settings == old.row.settings
    row = await identities.key("ci")
    assert row is not None
    assert row.grace_until is not None
    assert [state_of(row, row.grace_until - 1), state_of(row, row.grace_until)] == [
        "rotated", "expired",
    ]  # fmt: skip


async def test_what_is_not_rotated(desk: IdentityDesk) -> None:
    """A key that was disabled or rotated before, and it is said that there is one."""
    await desk.create_key({"id": "off", "enabled": False})
    await desk.create_key({"id": "old"})
    await desk.rotate_key("old")
    for key_id in ("off", "old"):
        with pytest.raises(ValueError, match="was disabled or rotated before"):
            await desk.rotate_key(key_id)


async def test_users(desk: IdentityDesk, identities: Identities) -> None:
    """A user made at run time may have keys, which go with the user."""
    user = await desk.create_user({"name": "Bob", "team": "t"})
    await desk.create_key({"user": user.id})
    await desk.delete_user(user.id)
    assert (await identities.users(), await identities.keys()) == ([], [])


@pytest.mark.parametrize("name", ["x" * 201, "a\0b", "two\nlines", 5])
async def test_a_name_that_makes_no_sense(desk: IdentityDesk, name: Any) -> None:
    """A user's name is plain text of some length, in any database."""
    with pytest.raises(ValueError, match="name: must be plain text"):
        await desk.create_user({"name": name})


async def test_unknown(desk: IdentityDesk) -> None:
    """What isn't there can't be changed; what the file names is changed there."""
    for name, said in (("x", "there is no"), ("dev", "policies/keys.yaml")):
        for work in (desk.rotate_key(name), desk.enable_key(name, False), desk.delete_key(name)):
            with pytest.raises(Unknown, match=said):
                await work
    with pytest.raises(Unknown, match=r"policies/keys\.yaml"):
        await desk.delete_user("ava")


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "on"),
        ({"grace_until": 20.0}, "rotated"),
        ({"grace_until": 5.0}, "expired"),
        ({"expires_at": 5.0}, "expired"),
        ({"disabled_at": 5.0}, "disabled"),
    ],
)
def test_state(changes: dict[str, float], state: str) -> None:
    """Whether a key works, and why not."""
    row = KeyRow("k", "d", None, None, {}, 0.0, **changes)
    assert state_of(row, 10.0) == state
