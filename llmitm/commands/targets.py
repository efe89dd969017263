"""`llmitm targets`: circuits and load of a running gateway; reset and drain."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from llmitm.commands.common import config_option, console, read_config
from llmitm.config.schema import Gateway

TIMEOUT_SECONDS = 5


@click.command()
@config_option
@click.option("--reset", metavar="TARGET", help="Close this target's circuit.")
@click.option("--drain", metavar="TARGET", help="Send it no new calls.")
@click.option("--undrain", metavar="TARGET", help="Send it calls again.")
def targets(config: Path | None, **actions: str | None) -> None:
    """Circuits and load of a running gateway.

    \b
    Examples:
      llmitm targets
      llmitm targets --drain openai/gpt-4o
      llmitm targets --reset openai/gpt-4o
    """
    gateway = read_config(config).gateway
    chosen = [{"action": name, "target": target} for name, target in actions.items() if target]
    answer: Any = None
    for change in chosen:
        answer = ask(gateway, "/admin/targets", change)
    if answer is None:
        answer = ask(gateway, "/admin/targets")
    table = Table("target", "state", "in flight", "failures", "successes", "next try", "notes")
    for row in answer["targets"]:
        notes = [n for n in ("draining", "credential_refused") if row[n]]
        wait = row["next_retry_in"] or row["cooldown_for"]
        table.add_row(
            row["target"],
            row["state"],
            str(row["in_flight"]),
            str(row["failures"]),
            str(row["successes"]),
            "" if wait is None else f"{wait:.0f} s",
            ", ".join(notes).replace("_", " "),
        )
    console.print(table)


def ask(gateway: Gateway, path: str, body: Any = None) -> Any:
    """Ask the admin API of the gateway of this configuration. Raises ClickException."""
    address = gateway.listen.admin
    host = "127.0.0.1" if address.host in ("0.0.0.0", "::") else address.host
    request = urllib.request.Request(
        f"http://{host}:{address.port}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    if gateway.admin_token is not None:
        request.add_header("authorization", f"Bearer {gateway.admin_token.reveal()}")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as reply:  # noqa: S310 as above
            return json.load(reply)
    except urllib.error.HTTPError as fault:
        raise click.ClickException(json.load(fault).get("error", str(fault))) from fault
    except OSError as fault:
        raise click.ClickException(
            f"No gateway answers on {host}:{address.port} ({fault}). Is it running?"
        ) from fault
