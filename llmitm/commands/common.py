"""What the commands share: reading the configuration, running coroutines, printing."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import click
import uvloop
from rich.console import Console
from rich.table import Table

from llmitm.config.load import Loaded, load
from llmitm.config.problems import ConfigErrors
from llmitm.stores.errors import LedgerError

MOST_COLUMNS = 1000
USUAL_CONFIG = Path("config/gateway.yaml")
console = Console()
errors = Console(stderr=True)

config_option: Callable[..., Any] = click.option(
    "-c",
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="gateway.yaml; without it ./config/gateway.yaml, else built-in defaults.",
)


def read_config(path: Path | None) -> Loaded:
    """The configuration; prints every problem and exits with 2 where there is any."""
    if path is None and USUAL_CONFIG.is_file():
        path = USUAL_CONFIG
    try:
        return load(path, os.environ)
    except ConfigErrors as faults:
        for problem in faults.problems:
            complain(str(problem))
        count = len(faults.problems)
        complain(f"{count} problem{'s' if count != 1 else ''}; nothing was changed or started.")
        sys.exit(2)


def complain(text: str, style: str = "red") -> None:
    errors.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


def run[T](work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine; what the ledger says of a failure is the command's error."""
    try:
        return uvloop.run(work)
    except LedgerError as fault:
        raise click.ClickException(str(fault)) from fault


def run_until_signalled(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine until it ends or SIGINT or SIGTERM cancels it, which is no failure."""

    async def main() -> None:
        task = asyncio.ensure_future(work)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        with suppress(asyncio.CancelledError):
            await task

    run(main())


def working(text: str) -> AbstractContextManager[object]:
    """Shows on a terminal that something takes its time."""
    return errors.status(text)


def table_of(words: Iterable[str], numbers: Iterable[str] = ()) -> Table:
    """A table whose words are folded where there is little room, and whose numbers are not cut."""
    table = Table()
    for name in words:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def show(table: Table) -> None:
    """Print a table; into a pipe as wide as it is, on a terminal no narrower than its numbers."""
    natural = Console(width=MOST_COLUMNS, markup=False).measure(table)
    needed = natural.minimum if console.is_terminal else natural.maximum
    Console(width=max(console.width, needed), markup=False).print(table)
