"""mitmproxy's own modes get what they need."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.options import Options
from mitmproxy.test import taddons

from llmitm import proxy_mode


async def test_options(tmp_path: Path) -> None:
    """Upstream hosts are not asked for anything, and the CA is in a directory of its own."""
    with taddons.context(Proxyserver(), *proxy_mode.stock_addons()) as context:
        proxy_mode.configure(context.options, tmp_path / "new" / "ca")
        options: Options = context.options
        assert options.connection_strategy == "lazy"
        assert options.upstream_cert is False
        assert (tmp_path / "new" / "ca" / proxy_mode.CA_CERTIFICATE).is_file()
        assert (tmp_path / "new" / "ca").stat().st_mode & 0o077 == 0


async def test_connections_are_closed() -> None:
    """At the end whoever keeps a connection open is told to go."""
    server: Any = Proxyserver()

    async def wait() -> None:
        with server.register_connection("c", handler):
            await asyncio.Event().wait()

    handler: Any = SimpleNamespace(transports={})
    task = asyncio.ensure_future(wait())
    handler.transports["client"] = SimpleNamespace(handler=task)
    handler.transports["server"] = SimpleNamespace(handler=None)
    await asyncio.sleep(0)
    await proxy_mode.close_connections(server)
    assert task.cancelled()


async def test_connections_that_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not go is not waited for."""
    monkeypatch.setattr(proxy_mode, "CLOSE_SECONDS", 0.01)
    server: Any = SimpleNamespace(connections={"c": SimpleNamespace(transports={})})
    await proxy_mode.close_connections(server)
