"""`llmitm usage`: what was used and what it cost."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.table import Table

from llmitm.commands.common import config_option, read_config, run, show, table_of, working
from llmitm.stores.filters import Filters
from llmitm.stores.reader import open_reader
from llmitm.stores.usage import UsageRow

GROUPS = ("key", "user", "team", "model", "target", "route", "day")
COLUMNS = (
    "calls", "errors", "prompt_tokens", "cached_tokens", "cache_write_tokens", "completion_tokens",
    "reasoning_tokens", "estimated", "unpriced", "cost_usd",
)  # fmt: skip
# What the table calls them; where all values are 0 it leaves out those after the first four.
TITLES = {
    "calls": "calls",
    "prompt_tokens": "tokens in",
    "completion_tokens": "tokens out",
    "cost_usd": "cost USD",
    "errors": "errors",
    "cached_tokens": "cached",
    "cache_write_tokens": "written",
    "reasoning_tokens": "reasoning",
    "estimated": "estimated",
    "unpriced": "unpriced",
}
ALWAYS = 4
MICRO_USD = Decimal("0.000001")


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
            show(as_table(rows, by))


def as_csv(rows: list[UsageRow], by: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([by, *COLUMNS])
    for row in rows:
        writer.writerow([row.group or "", *(_plain(getattr(row, name)) for name in COLUMNS)])
    return text.getvalue()


def as_table(rows: list[UsageRow], by: str) -> Table:
    """One line per group, and the total below. Costs are rounded, after they are added up."""
    totals = {name: sum((getattr(row, name) for row in rows), Decimal(0)) for name in TITLES}
    names = [n for position, n in enumerate(TITLES) if position < ALWAYS or totals[n]]
    table = table_of([by], [TITLES[name] for name in names])
    table.show_footer = True
    for column, text in zip(table.columns, ["total", *_shown(totals, names)], strict=True):
        column.footer = text
    for row in rows:
        values = {name: getattr(row, name) for name in names}
        table.add_row(row.group or "-", *_shown(values, names))
    return table


def _shown(values: Mapping[str, Decimal | int], names: Iterable[str]) -> list[str]:
    return [
        f"{Decimal(value).quantize(MICRO_USD):f}" if name == "cost_usd" else f"{int(value):,}"
        for name, value in ((name, values[name]) for name in names)
    ]


def _plain(value: Decimal | int) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
