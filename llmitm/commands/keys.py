"""`llmitm keys`: make, list, rotate and revoke virtual keys in the ledger's database."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from llmitm.commands.common import config_option, console, read_config, run, show, table_of
from llmitm.config.load import Loaded
from llmitm.config.schema import Key
from llmitm.identity import IdentityDesk, NewKey, Unknown, state_of
from llmitm.stores.identities import Exists, Identities, KeyRow, open_identities

PERIODS = ("hour", "day", "week", "month")


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
@click.option("--id", help="A name for logs and reports; default: a random one.")
@click.option("--user", help="The user that the key belongs to.")
@click.option("--team", help="The team; default: the user's.")
@click.option("--models", multiple=True, help="Models it may use, globs allowed; default: all.")
@click.option("--rpm", type=int, help="Requests per minute.")
@click.option("--tpm", type=int, help="Tokens per minute.")
@click.option("--concurrent", type=int, help="Calls at the same time.")
@click.option("--budget", multiple=True, metavar="USD/PERIOD", help="Such as 5/day or 50/month.")
@click.option("--max-usd-per-call", help="The most that one call may cost.")
@click.option("--expires", type=click.DateTime(), help="Date, or date and time, UTC.")
@click.option("--manage-models", is_flag=True, help="It may pull, create and delete Ollama's.")
def create(config: Path | None, **wishes: Any) -> None:
    """Make a key. It is shown once; only its hash is kept.

    \b
    Examples:
      llmitm keys create --id ci --models 'gpt-*' --models 'claude-*' --rpm 60
      llmitm keys create --user ava --budget 5/day --budget 50/month --expires 2027-01-01
    """
    _show_once(at_desk(read_config(config), lambda desk, _: desk.create_key(wish_of(**wishes))))


def wish_of(
    *, rpm: int | None, tpm: int | None, concurrent: int | None, budget: tuple[str, ...],
    expires: datetime | None, **plain: Any,
) -> dict[str, Any]:  # fmt: skip
    """What the options come to, as policies/keys.yaml would say it. Raises click.BadParameter."""
    limits = {"requests_per_minute": rpm, "tokens_per_minute": tpm, "concurrent": concurrent}
    wish = {
        **plain,
        "models": list(plain["models"]),
        "limits": {name: value for name, value in limits.items() if value is not None},
        "budgets": [_budget(text) for text in budget],
        "expires": expires and expires.replace(tzinfo=UTC),
    }
    return {name: value for name, value in wish.items() if value not in (None, [], {}, False)}


def _budget(text: str) -> dict[str, Any]:
    usd, _, per = text.partition("/")
    if per not in PERIODS:
        raise click.BadParameter(f"{text!r}: write USD/hour, USD/day, USD/week or USD/month")
    return {"usd": usd, "per": per}


@keys.command("list")
@config_option
def list_keys(config: Path | None) -> None:
    """Every key, from policies/keys.yaml and made at run time.

    \b
    Example:
      llmitm keys list
    """
    loaded = read_config(config)
    made = at_desk(loaded, lambda _, identities: identities.keys())
    now = datetime.now(UTC)
    table = table_of(["key", "user", "team", "models", "state", "from"])
    for key in loaded.policies.keys:
        table.add_row(
            key.id, key.user, key.team, " ".join(key.models), _state(key, now), "keys.yaml"
        )
    for row in made:
        models = " ".join(row.settings.get("models", ["*"]))
        table.add_row(row.id, row.user, row.team, models, state_of(row), "database")
    show(table)


def _state(key: Key, now: datetime) -> str:
    if key.expires is not None and key.expires <= now:
        return "expired"
    return "on" if key.enabled else "disabled"


@keys.command()
@config_option
@click.argument("key_id")
@click.option(
    "--overlap",
    type=click.FloatRange(0),
    default=24.0,
    show_default=True,
    help="Hours that the old key works on.",
)
def rotate(config: Path | None, key_id: str, overlap: float) -> None:
    """Make a new secret for a key. The old one goes on working for the overlap.

    Limits, budgets and usage go on under the first key's id.

    \b
    Example:
      llmitm keys rotate ci --overlap 24
    """
    hours = overlap * 3600
    _show_once(at_desk(read_config(config), lambda desk, _: desk.rotate_key(key_id, hours)))


@keys.command()
@config_option
@click.argument("key_id")
@click.option("--delete", is_flag=True, help="Forget the key instead of disabling it.")
def revoke(config: Path | None, key_id: str, delete: bool) -> None:
    """Stop a key, on every worker and replica within a second.

    \b
    Examples:
      llmitm keys revoke ci
      llmitm keys revoke ci --delete
    """

    async def work(desk: IdentityDesk, identities: Identities) -> list[KeyRow]:
        known = await identities.keys()
        await (desk.delete_key(key_id) if delete else desk.enable_key(key_id, False))
        return known

    known = at_desk(read_config(config), work)
    console.print(f"{key_id} {'deleted' if delete else 'revoked'}.", highlight=False)
    origin = next((row.origin for row in known if row.id == key_id), key_id)
    for row in known:
        if row.origin == origin and row.id != key_id and row.active(time.time()):
            console.print(f"{row.id}, of the same rotation, goes on working.", highlight=False)


@keys.command()
@config_option
@click.argument("key_id")
def enable(config: Path | None, key_id: str) -> None:
    """Let a revoked key work again.

    \b
    Example:
      llmitm keys enable ci
    """
    at_desk(read_config(config), lambda desk, _: desk.enable_key(key_id, True))
    console.print(f"{key_id} enabled.", highlight=False)


def at_desk[T](loaded: Loaded, work: Callable[[IdentityDesk, Identities], Awaitable[T]]) -> T:
    """What `work` gives; what makes no sense is the command's error."""

    async def main() -> T:
        identities = open_identities(loaded.gateway.store.ledger)
        try:
            return await work(IdentityDesk(identities, loaded.policies), identities)
        except Exists as fault:
            raise click.ClickException(f"That id is taken: {fault}") from fault
        except (Unknown, ValueError) as fault:
            raise click.ClickException(str(fault)) from fault
        finally:
            await identities.close()

    return run(main())


def _show_once(made: NewKey) -> None:
    console.print(f"Key {made.row.id}, shown this once:", highlight=False)
    click.echo(made.secret)
