"""mitmproxy's own modes get what they need."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.options import Options
from mitmproxy.proxy.mode_servers import ServerInstance
from mitmproxy.proxy.mode_specs import ProxyMode
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


async def test_wireguard_clients(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each WireGuard listener gets a file for its clients that only its owner may read."""
    with taddons.context(Proxyserver()) as context:
        context.options.update(confdir=str(tmp_path))
        mode = ProxyMode.parse("wireguard@127.0.0.1:0")
        server: Any = ServerInstance.make(mode, context.master.addons.get("proxyserver"))
        await server.start()
        try:
            with caplog.at_level("INFO"):
                proxy_mode.write_wireguard_clients([server, SimpleNamespace()], tmp_path)  # type: ignore[list-item]
            path = tmp_path / f"wireguard-{server.listen_addrs[0][1]}.conf"
            assert path.stat().st_mode & 0o077 == 0
            key = server.client_key
            assert f"PrivateKey = {key}" in path.read_text()
            said = [r.getMessage() for r in caplog.records if r.name == proxy_mode.__name__]
            assert said == [f"proxy mode: a WireGuard client takes {path}"]
        finally:
            await server.stop()


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
