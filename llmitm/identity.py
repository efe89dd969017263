"""Making, listing and changing the keys and users that policies/keys.yaml doesn't name."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from llmitm.config.schema import Key, Policies
from llmitm.config.values import check_name
from llmitm.keyring import digest_of, new_secret
from llmitm.stores.identities import Exists, Identities, KeyRow, UserRow

OVERLAP = 86_400.0  # seconds that a rotated key goes on working
MAX_NAME = 200
# Of a key in policies/keys.yaml, what columns of their own or the making of a key decide.
_NO_SETTINGS = frozenset({"id", "key", "user", "team", "expires", "enabled"})


class Unknown(LookupError):
    """There is no such key or user, or it is one of policies/keys.yaml."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key as it is shown once: `secret` is kept nowhere."""

    row: KeyRow
    secret: str


class IdentityDesk:
    """What the admin API and the command line do. Methods raise LedgerError."""

    def __init__(self, identities: Identities, policies: Policies) -> None:
        self._identities = identities
        self._policies = policies

    async def create_key(self, wish: Mapping[str, Any]) -> NewKey:
        """A key with what policies/keys.yaml can say of one, but for its secret.

        Raises ValueError for what makes no sense, and Exists.
        """
        if "key" in wish:
            raise ValueError("key: a key that is made here gets a secret of its own")
        secret = new_secret()
        key_id = str(wish.get("id") or f"key-{secrets.token_hex(4)}")
        if len(key_id) > MAX_NAME:
            raise ValueError(f"id: must be of at most {MAX_NAME} characters")
        key = _checked({**wish, "id": key_id, "key": secret})
        if any(known.id == key_id for known in self._policies.keys):
            raise Exists(f"policies/keys.yaml has a key {key_id!r} already")
        await self._check_owner(key)
        row = KeyRow(
            id=key_id,
            digest=digest_of(secret),
            user=key.user,
            team=key.team,
            settings={name: wish[name] for name in wish if name not in _NO_SETTINGS},
            created_at=time.time(),
            expires_at=key.expires.timestamp() if key.expires else None,
            disabled_at=None if key.enabled else time.time(),
        )
        try:
            await self._identities.create_key(row)
        except Exists as fault:
            raise Exists(f"there is a key {key_id!r} already") from fault
        return NewKey(row, secret)

    async def rotate_key(self, key_id: str, overlap: float = OVERLAP) -> NewKey:
        """A new secret for a key, which goes on working for `overlap` seconds.

        Raises Unknown, and ValueError for a key that was disabled or rotated before. Limits,
        budgets and usage go on under the id of the first.
        """
        secret, new_id = new_secret(), f"{key_id}-{secrets.token_hex(3)}"
        try:
            await self._identities.rotate_key(
                key_id,
                new_id=new_id,
                digest=digest_of(secret),
                now=time.time(),
                overlap=overlap,
            )
        except LookupError as fault:
            if await self._identities.key(key_id) is not None:
                raise ValueError(f"the key {key_id!r} was disabled or rotated before") from fault
            raise self._unknown("key", key_id) from fault
        row = await self._identities.key(new_id)
        if row is None:
            raise self._unknown("key", key_id)
        return NewKey(row, secret)

    async def enable_key(self, key_id: str, on: bool) -> None:
        """Stop a key, or let it work again. Raises Unknown."""
        work = self._identities
        done = await (work.enable_key(key_id) if on else work.disable_key(key_id, time.time()))
        if not done:
            raise self._unknown("key", key_id)

    async def delete_key(self, key_id: str) -> None:
        """Forget a key; what it used stays in the ledger. Raises Unknown."""
        if not await self._identities.delete_key(key_id):
            raise self._unknown("key", key_id)

    async def create_user(self, wish: Mapping[str, Any]) -> UserRow:
        """A user with `id`, `name` and `team`, each optional. Raises ValueError and Exists."""
        unknown = set(wish) - {"id", "name", "team"}
        if unknown:
            raise ValueError(f"{min(unknown)}: unknown key")
        for field in wish:
            if not _is_plain(wish[field]):
                raise ValueError(f"{field}: must be plain text of at most {MAX_NAME} characters")
        user = UserRow(
            check_name(wish.get("id") or f"user-{secrets.token_hex(8)}"),
            wish.get("name"),
            wish.get("team"),
            time.time(),
        )
        if user.id in self._policies.users:
            raise Exists(f"policies/keys.yaml has a user {user.id!r} already")
        try:
            await self._identities.create_user(user)
        except Exists as fault:
            raise Exists(f"there is a user {user.id!r} already") from fault
        return user

    async def delete_user(self, user_id: str) -> None:
        """Forget a user and the user's keys. Raises Unknown."""
        if not await self._identities.delete_user(user_id):
            raise self._unknown("user", user_id)

    async def _check_owner(self, key: Key) -> None:
        if key.user is None or key.user in self._policies.users:
            return
        if all(user.id != key.user for user in await self._identities.users()):
            raise ValueError(f"user: there is no user {key.user!r}")

    def _unknown(self, kind: str, name: str) -> Unknown:
        known = (
            any(key.id == name for key in self._policies.keys)
            if kind == "key"
            else name in self._policies.users
        )
        if known:
            return Unknown(f"the {kind} {name!r} is in policies/keys.yaml: change it there")
        return Unknown(f"there is no {kind} {name!r}")


def state_of(row: KeyRow, now: float | None = None) -> str:
    """Whether a key works: on, rotated (in its overlap), disabled or expired."""
    if row.active(time.time() if now is None else now):
        return "on" if row.grace_until is None else "rotated"
    return "disabled" if row.disabled_at is not None else "expired"


def _is_plain(value: object) -> bool:
    """Whether it is text that any database takes and any terminal shows, or None."""
    if value is None:
        return True
    return isinstance(value, str) and len(value) <= MAX_NAME and value.isprintable()


def _checked(wish: Mapping[str, Any]) -> Key:
    """The key that a wish makes. Raises ValueError, which never repeats the secret."""
    try:
        return Key.model_validate(dict(wish))
    except ValidationError as error:
        said = error.errors(include_url=False, include_input=False, include_context=False)
        parts = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in said]
        raise ValueError("; ".join(parts)) from None
