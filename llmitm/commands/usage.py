"""`llmitm usage`: what was used and what it cost."""

from __future__ import annotations

import csv
import io
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.table import Table

from llmitm.commands.common import config_option, console, read_config, run, working
from llmitm.stores.filters import Filters
from llmitm.stores.reader import open_reader
from llmitm.stores.usage import UsageRow

GROUPS = ("key", "user", "team", "model", "target", "route", "day")
COLUMNS = (
    "calls", "errors", "prompt_tokens", "cached_tokens", "completion_tokens",
    "reasoning_tokens", "estimated", "unpriced", "cost_usd",
)  # fmt: skip


@click.command()
@config_option
@click.option(
    "--by", type=click.Choice(GROUPS), default="key", show_default=True, help="One line for each."
)
@click.option("--days", type=click.IntRange(0), default=30, show_default=True, help="How far back.")
@click.option("--since", type=click.DateTime(), help="UTC; instead of --days.")
@click.option("--until", type=click.DateTime(), help="UTC.")
@click.option("--key", help="Only this key.")
@click.option("--user", help="Only this user.")
@click.option("--model", help="Only this model.")
@click.option(
    "--format",
    "style",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="Only the table has a line of totals.",
)
def usage(
    config: Path | None, by: Any, days: int, since: datetime | None, until: datetime | None,
    style: str, **only: str | None,
) -> None:  # fmt: skip
    """What was used and what it cost, by key, user, team, model, target, route or day.

    \b
    Examples:
      llmitm usage
      llmitm usage --by model --days 7
      llmitm usage --by day --user ava --format csv > ava.csv
    """
    loaded = read_config(config)
    begin = since.replace(tzinfo=UTC) if since else datetime.now(UTC) - timedelta(days=days)
    filters = Filters(
        since=begin.timestamp(),
        until=until.replace(tzinfo=UTC).timestamp() if until else None,
        **only,
    )

    async def work() -> list[UsageRow]:
        async with open_reader(loaded.gateway.store.ledger) as reader:
            return await reader.usage(filters, by=by)

    with working("Adding up…"):
        rows = run(work())
    match style:
        case "csv":
            sys.stdout.write(as_csv(rows, by))
        case "json":
            click.echo(msgspec.json.encode(rows))
        case _:
            console.print(as_table(rows, by))


def as_csv(rows: list[UsageRow], by: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([by, *COLUMNS])
    for row in rows:
        writer.writerow([row.group or "", *(_plain(getattr(row, name)) for name in COLUMNS)])
    return text.getvalue()


def as_table(rows: list[UsageRow], by: str) -> Table:
    """One line per group, and the total below."""
    table = Table(by, show_footer=True)
    table.columns[0].footer = "total"
    for name in COLUMNS:
        total = sum((getattr(row, name) for row in rows), Decimal(0))
        title = name.replace("_", " ").replace("usd", "USD")
        table.add_column(title, justify="right", footer=_plain(total))
    for row in rows:
        table.add_row(row.group or "-", *(_plain(getattr(row, name)) for name in COLUMNS))
    return table


def _plain(value: Decimal | int) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
