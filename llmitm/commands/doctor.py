"""`llmitm doctor`: can this gateway do what its configuration says?"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
from rich.markup import escape

from llmitm.commands.common import config_option, console, read_config, run, working
from llmitm.commands.targets import ask
from llmitm.config.load import Loaded
from llmitm.config.schema import Address, Gateway, Provider
from llmitm.stores.database import sqlite_path
from llmitm.stores.errors import LedgerError
from llmitm.stores.link import Link
from llmitm.stores.reader import open_reader
from llmitm.stores.remote_accounts import SCRIPTS

# What only this command needs is imported where it is used: every command loads this file.
if TYPE_CHECKING:
    from llmitm.engine.upstream import Upstream


class Finding(NamedTuple):
    ok: bool
    what: str
    detail: str


@click.command()
@config_option
def doctor(config: Path | None) -> None:
    """Try everything that a gateway needs: ports, stores, tokenizer, each provider and its key.

    No tokens are spent: providers are asked for their list of models. Exits with 1 where something
    fails. Beside a gateway that is running its ports count as good.

    \b
    Example:
      llmitm doctor -c config/gateway.yaml
    """
    loaded = read_config(config)

    async def work() -> bool:
        good = True
        async for finding in examine(loaded):
            mark = "[green]ok[/green]  " if finding.ok else "[red]FAIL[/red]"
            said = escape(f"{finding.what}: {finding.detail}")
            console.print(mark, said, highlight=False, soft_wrap=True)
            good = good and finding.ok
        return good

    with working("Trying…"):
        good = run(work())
    if not good:
        sys.exit(1)


async def examine(loaded: Loaded) -> AsyncIterator[Finding]:
    """Every finding, as soon as it is known."""
    gateway = loaded.gateway
    for finding in await asyncio.to_thread(_ports, gateway):
        yield finding
    yield await _ledger(gateway.store.ledger)
    yield await _shared(gateway.store.shared)
    yield await asyncio.to_thread(_tokenizer)
    from llmitm.engine.upstream import Upstream

    upstream = Upstream()
    try:
        for name, provider in gateway.providers.items():
            yield await _provider(upstream, name, provider)
    finally:
        await upstream.close()


def _ports(gateway: Gateway) -> list[Finding]:
    listen = gateway.listen
    wanted = {"gateway": listen.gateway, "admin": listen.admin, "inspector": listen.inspector}
    faults = {name: (address, _fault(address)) for name, address in wanted.items() if address}
    runs = any(fault for _, fault in faults.values()) and _answers(gateway)
    return [_port(name, *found, runs=runs) for name, found in faults.items()]


def _port(name: str, address: Address, fault: str | None, *, runs: bool) -> Finding:
    what = f"{name} on {address}"
    if fault is None:
        return Finding(True, what, "free")
    if runs:
        return Finding(True, what, "the gateway is running")
    return Finding(False, what, f"{fault}; choose another under listen: in gateway.yaml")


def _fault(address: Address) -> str | None:
    """Why an address can't be listened on."""
    with socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address.host, address.port))
        except OSError as fault:
            return fault.strerror or str(fault)
    return None


def _answers(gateway: Gateway) -> bool:
    """Whether a gateway of this configuration is running."""
    with suppress(click.ClickException):
        answer = ask(gateway, "/healthz")
        return isinstance(answer, dict) and answer.get("status") == "ok"
    return False


async def _ledger(url: str) -> Finding:
    file = sqlite_path(url) if url.startswith("sqlite:") else None
    if file is not None and (finding := await asyncio.to_thread(_to_be_made, file)):
        return finding
    try:
        async with open_reader(url) as reader:
            await reader.calls(1)
    except LedgerError as fault:
        return Finding(False, "ledger", str(fault))
    return Finding(True, "ledger", "readable")


def _to_be_made(path: Path) -> Finding | None:
    if path.exists():
        return None
    parent = next(folder for folder in path.parents if folder.exists())
    if os.access(parent, os.W_OK | os.X_OK):
        return Finding(True, "ledger", f"{path} will be made at the first start")
    return Finding(False, "ledger", f"{path} can't be made: {parent} is not writable")


async def _shared(url: str) -> Finding:
    if url == "memory":
        return Finding(True, "shared state", "in this process")
    link = Link(url, SCRIPTS, lambda _up: None)
    task = asyncio.create_task(link.run())
    await link.tried.wait()
    up = link.up
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    if up:
        return Finding(True, "shared state", "the store answers")
    return Finding(False, "shared state", "the store doesn't answer; see store.shared")


def _tokenizer() -> Finding:
    from llmitm import tokens

    try:
        return Finding(True, "tokenizer", f"{tokens.count_text('hello world', 'gpt-4o')} tokens")
    except tokens.RanksError as fault:
        return Finding(False, "tokenizer", str(fault))


async def _provider(upstream: Upstream, name: str, provider: Provider) -> Finding:
    from llmitm.probe import probe

    what = f"provider {name}"
    if not provider.base_url:
        return Finding(True, what, "runs inside the gateway")
    base = provider.base_url.rstrip("/")
    base = base if provider.dialect == "openai" else base.removesuffix("/v1")
    reached = await probe(upstream, provider, base)
    if reached.fault is not None:
        return Finding(False, what, f"not reachable: {reached.fault}")
    if reached.refused:
        return Finding(False, what, f"refuses the key ({reached.status}); see api_key")
    return Finding(reached.ok, what, f"answers {reached.status}")
