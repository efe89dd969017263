"""`llmitm users`: register, list and delete users in the ledger's database."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from llmitm.commands.common import config_option, console, read_config, show, table_of
from llmitm.commands.keys import at_desk


@click.group()
def users() -> None:
    """Register, list and delete users. Keys belong to them, and so do the calls.

    \b
    Examples:
      llmitm users create --id bob --name Bob --team research
      llmitm keys create --user bob
      llmitm users list
      llmitm users delete bob
    """


@users.command()
@config_option
@click.option("--id", "user_id", help="A name for logs and reports; default: a random one.")
@click.option("--name", help="What people call the user.")
@click.option("--team", help="The team, whose limits and budgets the user shares.")
def create(config: Path | None, user_id: str | None, name: str | None, team: str | None) -> None:
    """Register a user.

    \b
    Example:
      llmitm users create --id bob --name Bob --team research
    """
    wish = {"id": user_id, "name": name, "team": team}
    user = at_desk(read_config(config), lambda desk, _: desk.create_user(wish))
    click.echo(user.id)


@users.command("list")
@config_option
def list_users(config: Path | None) -> None:
    """Every user, from policies/keys.yaml and registered at run time.

    \b
    Example:
      llmitm users list
    """
    loaded = read_config(config)
    registered = at_desk(loaded, lambda _, identities: identities.users())
    table = table_of(["user", "name", "team", "since", "from"])
    for known in loaded.policies.users.values():
        table.add_row(known.id, known.name, known.team, "", "keys.yaml")
    for user in registered:
        since = f"{datetime.fromtimestamp(user.created_at, UTC):%Y-%m-%d}"
        table.add_row(user.id, user.name, user.team, since, "database")
    show(table)


@users.command()
@config_option
@click.argument("user_id")
def delete(config: Path | None, user_id: str) -> None:
    """Forget a user, and stop all of the user's keys within a second.

    \b
    Example:
      llmitm users delete bob
    """
    at_desk(read_config(config), lambda desk, _: desk.delete_user(user_id))
    console.print(f"{user_id} deleted, and the user's keys.", highlight=False)
