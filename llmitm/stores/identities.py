"""Users and keys that are made at run time, next to those of policies/keys.yaml."""

# ruff: noqa: S608 -- only names of our own tables and columns are put together; values are bound

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from llmitm.stores.database import Database, Row, Statement, open_database
from llmitm.stores.errors import LedgerError, Rejected

_encode = msgspec.json.Encoder().encode
_settings = msgspec.json.Decoder(dict[str, Any]).decode

_USER_COLUMNS = "id, name, team, created_at"
_KEY_COLUMNS = (
    "id, digest, user_id, team, settings, created_at, expires_at, disabled_at, rotated_from,"
    " grace_until, origin"
)
_ROTATABLE = "id = ? AND disabled_at IS NULL AND grace_until IS NULL"
_BUMP = Statement("UPDATE identity_version SET version = version + 1")


class Exists(LedgerError):
    """The id or the digest is taken."""


class UserRow(msgspec.Struct, frozen=True):
    """A person or application. Times are seconds since the epoch."""

    id: str
    name: str | None
    team: str | None
    created_at: float


class KeyRow(msgspec.Struct, frozen=True):
    """A virtual key; `digest` is the SHA-256 of its secret in hex, which is all that is kept.

    `rotated_from` is the key this one took over from, which works until its own `grace_until`.
    `origin` is the first key of such a chain, or the key itself: limits, budgets and usage that
    go by it are not reset by a rotation. `settings` are what policies/keys.yaml can say.
    """

    id: str
    digest: str
    user: str | None
    team: str | None
    settings: dict[str, Any]
    created_at: float
    expires_at: float | None = None
    disabled_at: float | None = None
    rotated_from: str | None = None
    grace_until: float | None = None
    origin: str = ""

    def __post_init__(self) -> None:
        if not self.origin:
            msgspec.structs.force_setattr(self, "origin", self.id)

    def active(self, now: float) -> bool:
        """Whether the key opens the door at `now`."""
        ends = (self.expires_at, self.disabled_at, self.grace_until)
        return all(end is None or now < end for end in ends)


class Snapshot(NamedTuple):
    """Everything at once. `version` is never newer than the rest."""

    version: int
    users: list[UserRow]
    keys: list[KeyRow]


def open_identities(url: str) -> Identities:
    """The users and keys in the ledger's database, which is created and migrated where needed.

    Connects on first use. Raises Misconfigured for a URL that is no ledger's.
    """
    return Identities(open_database(url))


class Identities:
    """Create, list, rotate, disable and delete. Each method raises Unavailable or Misconfigured.

    Every change raises `version()` in the same transaction, for all processes to see.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def version(self) -> int:
        """A number that grows with every change: cheap to ask for several times a second."""
        rows = await self._database.query("SELECT version FROM identity_version")
        version: int = rows[0][0]
        return version

    async def snapshot(self) -> Snapshot:
        """All users and keys, and the version they have at least."""
        return Snapshot(await self.version(), await self.users(), await self.keys())

    async def create_user(self, user: UserRow) -> None:
        """Raises Exists."""
        sql = f"INSERT INTO users ({_USER_COLUMNS}) VALUES (?, ?, ?, ?)"
        await self._create(Statement(sql, msgspec.structs.astuple(user)))

    async def users(self) -> list[UserRow]:
        sql = f"SELECT {_USER_COLUMNS} FROM users ORDER BY created_at, id"
        return [UserRow(*row) for row in await self._database.query(sql)]

    async def delete_user(self, user_id: str) -> bool:
        """Delete a user and all of the user's keys; False where there is no such user."""
        deleted, *_ = await self._change(
            Statement("DELETE FROM users WHERE id = ?", (user_id,)),
            Statement("DELETE FROM keys WHERE user_id = ?", (user_id,)),
        )
        return deleted > 0

    async def create_key(self, key: KeyRow) -> None:
        """Raises Exists."""
        marks = ", ".join("?" * len(_KEY_COLUMNS.split(",")))
        values = {**msgspec.structs.asdict(key), "settings": _encode(key.settings).decode()}
        sql = f"INSERT INTO keys ({_KEY_COLUMNS}) VALUES ({marks})"
        await self._create(Statement(sql, tuple(values.values())))

    async def keys(self, *, user: str | None = None) -> list[KeyRow]:
        """All keys, or one user's, in the order they were made."""
        where, params = ("", ()) if user is None else ("WHERE user_id = ?", (user,))
        sql = f"SELECT {_KEY_COLUMNS} FROM keys {where} ORDER BY created_at, id"
        return [_key(row) for row in await self._database.query(sql, params)]

    async def key(self, key_id: str) -> KeyRow | None:
        sql = f"SELECT {_KEY_COLUMNS} FROM keys WHERE id = ?"
        rows = await self._database.query(sql, (key_id,))
        return _key(rows[0]) if rows else None

    async def rotate_key(
        self, key_id: str, *, new_id: str, digest: str, now: float, overlap: float
    ) -> None:
        """Make a key with the settings of `key_id`, which goes on working for `overlap` seconds.

        Raises Exists, and LookupError where it is unknown, disabled or rotated already.
        """
        copy = (
            f"INSERT INTO keys ({_KEY_COLUMNS})"
            " SELECT CAST(? AS TEXT), CAST(? AS TEXT), user_id, team, settings,"
            " CAST(? AS DOUBLE PRECISION), expires_at, NULL, id, NULL, origin"
            f" FROM keys WHERE {_ROTATABLE}"
        )
        retire = f"UPDATE keys SET grace_until = ? WHERE {_ROTATABLE}"
        made, *_ = await self._create(
            Statement(copy, (new_id, digest, float(now), key_id)),
            Statement(retire, (float(now + overlap), key_id)),
        )
        if not made:
            raise LookupError(f"there is no key {key_id!r} to rotate")

    async def disable_key(self, key_id: str, now: float) -> bool:
        """Stop a key, and no other; False where there is no such key. Doing it twice is fine."""
        sql = "UPDATE keys SET disabled_at = coalesce(disabled_at, ?) WHERE id = ?"
        [changed, _] = await self._change(Statement(sql, (float(now), key_id)))
        return changed > 0

    async def enable_key(self, key_id: str) -> bool:
        """Undo `disable_key`; False where there is no such key."""
        sql = "UPDATE keys SET disabled_at = NULL WHERE id = ?"
        [changed, _] = await self._change(Statement(sql, (key_id,)))
        return changed > 0

    async def delete_key(self, key_id: str) -> bool:
        """Delete a key, and no other; False where there is no such key."""
        [deleted, _] = await self._change(Statement("DELETE FROM keys WHERE id = ?", (key_id,)))
        return deleted > 0

    async def close(self) -> None:
        await self._database.close()

    async def _create(self, *statements: Statement) -> list[int]:
        try:
            return await self._change(*statements)
        except Rejected as error:
            raise Exists(str(error)) from error

    async def _change(self, *statements: Statement) -> list[int]:
        return await self._database.change(*statements, _BUMP)


def _key(row: Row) -> KeyRow:
    key_id, digest, user, team, settings, *rest = row
    return KeyRow(key_id, digest, user, team, _settings(settings), *rest)
