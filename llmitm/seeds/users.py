"""Users who register by name, and the check that a call's user is one of them."""

from __future__ import annotations

import secrets
import time

from llmitm.dialects.carry import refuse
from llmitm.errors import Cause, GatewayError
from llmitm.keyring import Keyring
from llmitm.seeds.circuits import timestamp
from llmitm.seeds.endpoint import Json
from llmitm.seeds.fields import words
from llmitm.stores.errors import LedgerError
from llmitm.stores.identities import UserRow

MAX_NAME = 200
_AWAY = "The database of users is not available. Try again."


async def register(keyring: Keyring, body: Json) -> Json:
    """Make a user of this name. Raises GatewayError. Two users may have the same name."""
    name = words(body, "name").strip()
    if len(name) > MAX_NAME:
        raise refuse("name", f"must have at most {MAX_NAME} characters")
    user = UserRow(f"user-{secrets.token_hex(8)}", name, None, time.time())
    try:
        await keyring.identities.create_user(user)
    except LedgerError as fault:
        raise GatewayError(Cause.UPSTREAM_UNAVAILABLE, _AWAY, retry_after=1) from fault
    return {"id": user.id, "name": user.name, "created_at": timestamp(user.created_at)}


async def check_registered(keyring: Keyring, user: str) -> None:
    """Raises GatewayError for a user that nobody registered and no file names."""
    if keyring.has_user(user):
        return
    try:
        await keyring.refresh()  # another process may have registered it this moment
    except LedgerError as fault:
        raise GatewayError(Cause.UPSTREAM_UNAVAILABLE, _AWAY, retry_after=1) from fault
    if not keyring.has_user(user):
        raise GatewayError(
            Cause.INVALID_REQUEST,
            f"The user {user!r} is not registered. POST /api/users with a name first.",
            param="user_id",
            code="unknown_user",
        )
