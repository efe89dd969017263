"""Users and keys that are made at run time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from llmitm.stores.identities import Exists, Identities, KeyRow, UserRow, open_identities

NOW = 1000.0
SETTINGS = {"models": ["gpt-*"], "limits": {"concurrent": 3}, "budgets": [{"usd": "5"}]}


def key(key_id: str, user: str | None = "ava", **fields: float) -> KeyRow:
    digest = key_id.encode().hex().ljust(64, "0")
    return KeyRow(key_id, digest, user, "red", SETTINGS, NOW, **fields)  # type: ignore[arg-type]


@pytest.fixture
async def identities(url: str) -> AsyncIterator[Identities]:
    """In a database that nobody opened before."""
    identities = open_identities(url)
    yield identities
    await identities.close()


async def test_come_back(identities: Identities) -> None:
    """What was created is listed as it was, in order."""
    users = [UserRow("ava", "Ava", "red", NOW), UserRow("bo", None, None, NOW + 1)]
    keys = [key("b", expires_at=5.0), key("a", user="bo"), key("c", user=None)]
    for user in users:
        await identities.create_user(user)
    for row in keys:
        await identities.create_key(row)
    assert await identities.users() == users
    assert await identities.keys() == [keys[1], keys[0], keys[2]]
    assert await identities.keys(user="bo") == [keys[1]]
    assert await identities.key("b") == keys[0]
    assert await identities.key("x") is None
    assert (await identities.snapshot())[1:] == (users, [keys[1], keys[0], keys[2]])


async def test_taken(identities: Identities) -> None:
    """Neither an id nor a secret is given twice; what was there is as before."""
    user, first = UserRow("ava", "Ava", None, NOW), key("a")
    await identities.create_user(user)
    await identities.create_key(first)
    with pytest.raises(Exists):
        await identities.create_user(UserRow("ava", "Eve", None, NOW))
    with pytest.raises(Exists):
        await identities.create_key(KeyRow("a", "other", None, None, {}, NOW))
    with pytest.raises(Exists):
        await identities.create_key(KeyRow("b", first.digest, None, None, {}, NOW))
    with pytest.raises(Exists):
        await identities.rotate_key("a", new_id="a", digest="new", now=NOW, overlap=1)
    assert (await identities.users(), await identities.keys()) == ([user], [first])


async def test_rotate(identities: Identities) -> None:
    """Both keys work for the overlap, with the same settings, then only the new one."""
    await identities.create_key(key("a", expires_at=9000.0))
    await identities.create_key(key("other"))
    await identities.rotate_key("a", new_id="a2", digest="2", now=2000.0, overlap=100.0)
    await identities.rotate_key("a2", new_id="a3", digest="3", now=2050.0, overlap=10.0)
    old, other, middle, new = await identities.keys()
    assert (new.id, new.digest, new.rotated_from, new.origin) == ("a3", "3", "a2", "a")
    assert (new.user, new.team, new.settings, new.expires_at) == ("ava", "red", SETTINGS, 9000.0)
    assert new.created_at == 2050.0
    times = (2055.0, 2070.0, 2100.0)
    assert [[k.active(t) for k in (old, middle, new, other)] for t in times] == [
        [True, True, True, True],
        [True, False, True, True],
        [False, False, True, True],
    ]


async def test_what_cannot_be_rotated(identities: Identities) -> None:
    """Unknown, disabled and rotated keys have no successor to get."""
    for key_id in ("off", "old"):
        await identities.create_key(key(key_id))
    await identities.disable_key("off", NOW)
    await identities.rotate_key("old", new_id="new", digest="n", now=NOW, overlap=0)
    for key_id in ("unknown", "off", "old"):
        with pytest.raises(LookupError):
            await identities.rotate_key(key_id, new_id="x", digest="x", now=NOW, overlap=1)
    assert [row.id for row in await identities.keys()] == ["new", "off", "old"]


async def test_disable(identities: Identities) -> None:
    """A disabled key stops at that moment, no other does, and it can be enabled again."""
    for key_id in "ab":
        await identities.create_key(key(key_id))
    assert await identities.disable_key("a", 2000.0)
    assert await identities.disable_key("a", 3000.0)
    a, b = await identities.keys()
    assert [a.active(1999.0), a.active(2000.0), b.active(2000.0)] == [True, False, True]
    assert await identities.enable_key("a")
    assert (await identities.keys())[0].active(2000.0)
    assert not await identities.disable_key("x", 0)
    assert not await identities.enable_key("x")


async def test_delete(identities: Identities) -> None:
    """A deleted key is gone, and no other is; a deleted user takes their keys along."""
    await identities.create_user(UserRow("ava", None, None, NOW))
    for key_id, user in [("a", "ava"), ("b", "ava"), ("c", "bo"), ("d", None)]:
        await identities.create_key(key(key_id, user))
    assert await identities.delete_key("a")
    assert [row.id for row in await identities.keys()] == ["b", "c", "d"]
    assert await identities.delete_user("ava")
    assert [row.id for row in await identities.keys()] == ["c", "d"]
    assert await identities.users() == []
    assert [await identities.delete_key("a"), await identities.delete_user("ava")] == [False] * 2


Change = Callable[[Identities], Awaitable[object]]
CHANGES: dict[str, Change] = {
    "create_user": lambda i: i.create_user(UserRow("bo", None, None, NOW)),
    "create_key": lambda i: i.create_key(key("b")),
    "rotate": lambda i: i.rotate_key("a", new_id="x", digest="x", now=NOW, overlap=1),
    "disable": lambda i: i.disable_key("a", NOW),
    "enable": lambda i: i.enable_key("a"),
    "delete_key": lambda i: i.delete_key("a"),
    "delete_user": lambda i: i.delete_user("ava"),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_version(identities: Identities, url: str, name: str) -> None:
    """Another process sees by one number that something changed, and that nothing did."""
    await identities.create_user(UserRow("ava", None, None, NOW))
    await identities.create_key(key("a"))
    other = open_identities(url)
    before = await other.version()
    assert await other.version() == before
    await CHANGES[name](identities)
    assert await other.version() > before
    assert (await other.snapshot()).version == await identities.version()
    await other.close()


@pytest.mark.parametrize(
    ("row", "active"),
    [
        (key("a"), True),
        (key("a", expires_at=NOW), False),
        (key("a", expires_at=NOW + 1), True),
        (key("a", disabled_at=NOW), False),
        (key("a", grace_until=NOW - 1), False),
        (key("a", expires_at=NOW + 1, grace_until=NOW), False),
    ],
)
def test_active(row: KeyRow, active: bool) -> None:
    """A key works until the first of its ends."""
    assert row.active(NOW) == active
