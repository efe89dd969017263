"""The gateway as one of mitmproxy's proxy modes."""

from __future__ import annotations

import httpx
import pytest
from mitmproxy.proxy.mode_servers import ServerInstance
from mitmproxy.proxy.mode_specs import ProxyMode

from llmitm.engine.mode import GatewayInstance, GatewayMode
from tests.support.gateway import Starter


def test_spec_is_parsed() -> None:
    """mitmproxy parses the mode by its name, with the address to listen on."""
    mode = ProxyMode.parse("gateway@127.0.0.1:4100")
    assert isinstance(mode, GatewayMode)
    assert mode.listen_host() == "127.0.0.1"
    assert mode.listen_port() == 4100
    assert mode.transport_protocol == "tcp"


def test_default_port() -> None:
    """Without an address the gateway's own port is used."""
    assert ProxyMode.parse("gateway").listen_port() == 4000


def test_takes_no_argument() -> None:
    """An argument is refused with what to write instead."""
    with pytest.raises(ValueError, match="gateway@HOST:PORT"):
        ProxyMode.parse("gateway:http://example.com@4000")


def test_instance_is_registered() -> None:
    """mitmproxy makes our server for the mode."""
    instance = ServerInstance.make("gateway@127.0.0.1:0", None)  # type: ignore[arg-type]
    assert isinstance(instance, GatewayInstance)
    assert not instance.is_running
    assert instance.listen_addrs == ()


def test_starts_and_stops(starter: Starter) -> None:
    """The listener is there while the gateway runs, in mitmproxy's own list of servers."""
    gateway = starter.gateway(provider_url="http://127.0.0.1:1")
    servers = list(gateway.master.addons.get("proxyserver").servers)
    assert [server.mode.type_name for server in servers] == ["gateway"]
    assert servers[0].is_running
    assert httpx.get(gateway.url).text == "Ollama is running"
    gateway.stop()
    starter.running.remove(gateway.stop)
    assert not servers[0].is_running
