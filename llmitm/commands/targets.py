"""`llmitm targets`: circuits and load of a running gateway; reset and drain."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import click
import msgspec

from llmitm.commands.common import config_option, read_config, show, table_of
from llmitm.config.schema import Address, Gateway

TIMEOUT_SECONDS = 5
# A proxy of the environment is for the way to providers.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


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
      llmitm targets --drain openai/gpt-4o-mini
      llmitm targets --reset openai/gpt-4o-mini
    """
    gateway = read_config(config).gateway
    chosen = [{"action": name, "target": target} for name, target in actions.items() if target]
    answer: Any = None
    for change in chosen:
        answer = ask(gateway, "/admin/targets", change)
    if answer is None:
        answer = ask(gateway, "/admin/targets")
    if not isinstance(answer, dict) or "targets" not in answer:
        raise click.ClickException(f"What answers on {gateway.listen.admin} is no gateway.")
    table = table_of(
        ["target", "state", "notes"], ["in flight", "failures", "successes", "next try"]
    )
    for row in answer["targets"]:
        notes = [n for n in ("draining", "credential_refused", "unhealthy") if row.get(n)]
        wait = row["next_retry_in"] or row["cooldown_for"]
        table.add_row(
            row["target"],
            row["state"],
            ", ".join(notes).replace("_", " "),
            str(row["in_flight"]),
            str(row["failures"]),
            str(row["successes"]),
            "" if wait is None else f"{wait:.0f} s",
        )
    show(table)


def ask(gateway: Gateway, path: str, body: Any = None) -> Any:
    """Ask the admin API of the gateway of this configuration. Raises ClickException."""
    url = f"http://{reachable(gateway.listen.admin)}{path}"
    data = None if body is None else msgspec.json.encode(body)
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    if gateway.admin_token is not None:
        request.add_header("authorization", f"Bearer {gateway.admin_token.reveal()}")
    try:
        with _direct.open(request, timeout=TIMEOUT_SECONDS) as reply:
            return msgspec.json.decode(reply.read())
    except urllib.error.HTTPError as fault:
        raise click.ClickException(_told(fault)) from fault
    except (OSError, http.client.HTTPException) as fault:
        why = getattr(fault, "reason", fault)
        raise click.ClickException(f"No gateway answers on {url}: {why}. Is it running?") from fault
    except ValueError as fault:
        raise click.ClickException(f"What answers on {url} is no gateway.") from fault


def reachable(address: Address) -> Address:
    """Where to connect to what listens on `address`, which may be every interface."""
    every = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    return Address(every.get(address.host, address.host), address.port)


def _told(fault: urllib.error.HTTPError) -> str:
    try:
        answer = msgspec.json.decode(fault.read())
        return str(answer["error"])
    except (ValueError, KeyError, TypeError):
        return str(fault)
