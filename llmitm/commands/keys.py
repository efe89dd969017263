"""`llmitm keys`: make, list, rotate and revoke virtual keys in the ledger's database."""

from __future__ import annotations

import secrets
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from llmitm.commands.common import config_option, console, read_config, run
from llmitm.keyring import digest_of, new_secret
from llmitm.stores.identities import Exists, KeyRow, open_identities


@click.group()
def keys() -> None:
    """Make, list, rotate and revoke virtual keys. A running gateway follows within a second.

    \b
    Examples:
      llmitm keys create --id ci --user ava --models 'gpt-*' --rpm 60 --budget 5/day
      llmitm keys list
      llmitm keys rotate ci --overlap 24
      llmitm keys revoke ci
    """


@keys.command()
@config_option
@click.option("--id", "key_id", help="A name for logs and reports; default: a random one.")
@click.option("--user", help="The user that the key belongs to.")
@click.option("--team", help="The team; default: the user's.")
@click.option("--models", multiple=True, help="Models it may use, globs allowed; default: all.")
@click.option("--rpm", type=int, help="Requests per minute.")
@click.option("--tpm", type=int, help="Tokens per minute.")
@click.option("--concurrent", type=int, help="Calls at the same time.")
@click.option("--budget", multiple=True, metavar="USD/PERIOD", help="Such as 5/day or 50/month.")
@click.option("--expires", type=click.DateTime(), help="Date, or date and time, UTC.")
def create(
    config: Path | None, key_id: str | None, user: str | None, team: str | None,
    expires: datetime | None, **wishes: Any,
) -> None:  # fmt: skip
    """Make a key. It is shown once; only its hash is kept."""
    loaded = read_config(config)
    secret = new_secret()
    row = KeyRow(
        id=key_id or f"key-{secrets.token_hex(4)}",
        digest=digest_of(secret),
        user=user,
        team=team,
        settings=settings_of(**wishes),
        created_at=time.time(),
        expires_at=_utc(expires),
    )

    async def work() -> None:
        identities = open_identities(loaded.gateway.store.ledger)
        try:
            known = {u.id for u in await identities.users()} | set(loaded.policies.users)
            if user is not None and user not in known:
                raise click.ClickException(f"There is no user {user!r}.")
            if any(key.id == row.id for key in loaded.policies.keys):
                raise Exists(f"policies/keys.yaml has a key {row.id!r} already.")
            await identities.create_key(row)
        finally:
            await identities.close()

    run(work())
    console.print(f"Key {row.id}, shown this once:", highlight=False)
    click.echo(secret)


def settings_of(
    models: tuple[str, ...], rpm: int | None, tpm: int | None, concurrent: int | None,
    budget: tuple[str, ...],
) -> dict[str, Any]:  # fmt: skip
    """The settings that policies/keys.yaml would say. Raises click.BadParameter."""
    limits = {"requests_per_minute": rpm, "tokens_per_minute": tpm, "concurrent": concurrent}
    settings: dict[str, Any] = {
        "models": list(models),
        "limits": {name: value for name, value in limits.items() if value is not None},
        "budgets": [_budget(text) for text in budget],
    }
    return {name: value for name, value in settings.items() if value}


def _budget(text: str) -> dict[str, Any]:
    usd, slash, per = text.partition("/")
    try:
        float(usd)
    except ValueError:
        slash = ""
    if not slash or per not in ("hour", "day", "week", "month"):
        raise click.BadParameter(f"{text!r}: write USD/hour, USD/day, USD/week or USD/month")
    return {"usd": usd, "per": per}


@keys.command("list")
@config_option
def list_keys(config: Path | None) -> None:
    """Every key, from policies/keys.yaml and made at run time."""
    loaded = read_config(config)

    async def work() -> list[KeyRow]:
        identities = open_identities(loaded.gateway.store.ledger)
        try:
            return await identities.keys()
        finally:
            await identities.close()

    table = Table("key", "user", "team", "models", "state", "from")
    for key in loaded.policies.keys:
        state = "on" if key.enabled else "disabled"
        table.add_row(key.id, key.user, key.team, " ".join(key.models), state, "keys.yaml")
    for row in run(work()):
        models = " ".join(row.settings.get("models", ["*"]))
        table.add_row(row.id, row.user, row.team, models, state_of(row), "database")
    console.print(table)


def state_of(row: KeyRow, now: float | None = None) -> str:
    moment = time.time() if now is None else now
    if row.active(moment):
        return "on" if row.grace_until is None else "rotated, in its overlap"
    return "disabled" if row.disabled_at is not None else "expired"


@keys.command()
@config_option
@click.argument("key_id")
@click.option("--overlap", default=24.0, show_default=True, help="Hours that the old key works on.")
def rotate(config: Path | None, key_id: str, overlap: float) -> None:
    """Make a new secret for a key. The old one goes on working for the overlap."""
    loaded = read_config(config)
    secret, new_id = new_secret(), f"{key_id}-{secrets.token_hex(3)}"

    async def work() -> None:
        identities = open_identities(loaded.gateway.store.ledger)
        try:
            await identities.rotate_key(
                key_id,
                new_id=new_id,
                digest=digest_of(secret),
                now=time.time(),
                overlap=overlap * 3600,
            )
        except LookupError as fault:
            raise click.ClickException(str(fault)) from fault
        finally:
            await identities.close()

    run(work())
    console.print(f"Key {new_id}, shown this once:", highlight=False)
    click.echo(secret)


@keys.command()
@config_option
@click.argument("key_id")
@click.option("--delete", is_flag=True, help="Forget the key instead of disabling it.")
def revoke(config: Path | None, key_id: str, delete: bool) -> None:
    """Stop a key, on every worker and replica within a second."""
    loaded = read_config(config)

    async def work() -> bool:
        identities = open_identities(loaded.gateway.store.ledger)
        try:
            if delete:
                return await identities.delete_key(key_id)
            return await identities.disable_key(key_id, time.time())
        finally:
            await identities.close()

    if not run(work()):
        raise click.ClickException(
            f"There is no key {key_id!r} in the database. "
            "Keys of policies/keys.yaml are revoked there: enabled: false."
        )
    console.print(f"{key_id} {'deleted' if delete else 'revoked'}.", highlight=False)


def _utc(moment: datetime | None) -> float | None:
    return None if moment is None else (moment - datetime(1970, 1, 1)).total_seconds()  # noqa: DTZ001 both are UTC
