"""Every key that opens the door: those of policies/keys.yaml and those made at run time."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from llmitm.config.schema import Key, Policies
from llmitm.stores.errors import LedgerError
from llmitm.stores.identities import Identities, KeyRow, Snapshot

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5  # a revoked key stops working everywhere within a second
PREFIX = "sk-llmitm-"


def new_secret() -> str:
    """A key to show once: 256 bits of randomness."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


class Keyring:
    """Finds the key that a client presents. Follows the database, which others may change."""

    def __init__(self, identities: Identities, policies: Callable[[], Policies]) -> None:
        self.identities = identities
        self._policies = policies
        self._snapshot = Snapshot(-1, [], [])
        self._keys: dict[str, tuple[KeyRow, Key]] = {}
        self._completed_for: Policies | None = None
        self._users: frozenset[str] = frozenset()

    def find(self, digest: str) -> Key | None:
        """The enabled key of this digest, or None. Raises nothing; expiry is the caller's."""
        policies = self._policies()
        key = policies.by_digest.get(digest)
        if key is not None:
            return key if key.enabled else None
        if self._completed_for is not policies:
            self._rebuild(policies)
        made = self._keys.get(digest)
        return made[1] if made is not None and made[0].active(time.time()) else None

    def has_user(self, user: str) -> bool:
        """Whether there is a user of this id, from YAML or made at run time."""
        return user in self._users or user in self._policies().users

    async def refresh(self) -> None:
        """Take over what changed in the database. Raises LedgerError where it can't be read."""
        if await self.identities.version() != self._snapshot.version:
            self._snapshot = await self.identities.snapshot()
            self._users = frozenset(user.id for user in self._snapshot.users)
            self._rebuild(self._policies())

    async def run(self) -> None:
        """Refresh until cancelled; while the database is away, what was known stays in force."""
        failing = False
        while True:
            try:
                await self.refresh()
                failing = False
            except LedgerError as fault:
                if not failing:
                    logger.warning("keys can't be refreshed, known ones stay: %s", fault)
                failing = True
            await asyncio.sleep(POLL_SECONDS)

    def _rebuild(self, policies: Policies) -> None:
        teams = {user.id: user.team for user in self._snapshot.users}
        self._keys = {}
        for row in self._snapshot.keys:
            try:
                self._keys[row.digest] = (row, policies.completed(_key(row, teams)))
            except ValidationError:
                logger.exception("the key %s in the database makes no sense and is off", row.id)
        self._completed_for = policies


def _key(row: KeyRow, teams: dict[str, str | None]) -> Key:
    """A database row as the key that policies/keys.yaml would have made of it."""
    fields: dict[str, Any] = {
        **row.settings,
        "id": row.origin,
        "key": f"sha256:{row.digest}",
        "user": row.user,
        "team": row.team or teams.get(row.user or ""),
    }
    if row.expires_at is not None:
        fields["expires"] = datetime.fromtimestamp(row.expires_at, UTC)
    return Key.model_validate(fields)
