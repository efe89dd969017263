"""`llmitm doctor`: can this gateway do what its configuration says?"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import click

from llmitm import tokens
from llmitm.commands.common import config_option, console, read_config, run, working
from llmitm.commands.targets import ask
from llmitm.config.load import Loaded
from llmitm.config.schema import Provider
from llmitm.engine.upstream import Upstream
from llmitm.probe import probe
from llmitm.stores.errors import LedgerError
from llmitm.stores.reader import open_reader


class Finding(NamedTuple):
    ok: bool
    what: str
    detail: str


@click.command()
@config_option
def doctor(config: Path | None) -> None:
    """Try everything that a gateway needs: ports, ledger, tokenizer, each provider and its key.

    No tokens are spent: providers are asked for their list of models.

    \b
    Example:
      llmitm doctor -c config/gateway.yaml
    """
    loaded = read_config(config)

    async def work() -> bool:
        good = True
        async for finding in examine(loaded):
            mark = "[green]ok[/green]  " if finding.ok else "[red]FAIL[/red]"
            console.print(f"{mark} {finding.what}: {finding.detail}", highlight=False)
            good = good and finding.ok
        return good

    if not run(work()):
        sys.exit(1)


async def examine(loaded: Loaded) -> AsyncIterator[Finding]:
    listen = loaded.gateway.listen
    for name, address in (("gateway", listen.gateway), ("admin", listen.admin)):
        yield _port(name, address.host, address.port)
    yield await _ledger(loaded)
    yield await asyncio.to_thread(_tokenizer)
    upstream = Upstream()
    try:
        for name, provider in loaded.gateway.providers.items():
            yield await _provider(upstream, name, provider)
    finally:
        await upstream.close()


def _port(name: str, host: str, port: int) -> Finding:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as fault:
            return Finding(False, f"{name} port {port}", f"{fault.strerror}; is a gateway running?")
    return Finding(True, f"{name} port {port}", "free")


async def _ledger(loaded: Loaded) -> Finding:
    url = loaded.gateway.store.ledger
    try:
        async with open_reader(url) as reader:
            await reader.calls(1)
    except LedgerError as fault:
        return Finding(False, "ledger", str(fault))
    return Finding(True, "ledger", "readable")


def _tokenizer() -> Finding:
    try:
        return Finding(True, "tokenizer", f"{tokens.count_text('hello world', 'gpt-4o')} tokens")
    except tokens.RanksError as fault:
        return Finding(False, "tokenizer", str(fault))


async def _provider(upstream: Upstream, name: str, provider: Provider) -> Finding:
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
