"""What proxy mode does with the connections and requests of mitmproxy's own modes."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy import connection, ctx, http, tcp, udp
from mitmproxy.test import tflow

from llmitm.runtime import ProxyMode

INNER = ("127.0.0.1", 39999)
intercept = importlib.import_module("addons.intercept")


@pytest.fixture(params=["refuse", "pass"])
def policy(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def addon(policy: str) -> Iterator[Any]:
    proxy = ProxyMode(inner=INNER, private_ports={4001})
    settings = SimpleNamespace(hosts=("llm.corp",), other_hosts=policy)
    gateway = SimpleNamespace(intercept=settings, providers={})
    live = SimpleNamespace(proxy=proxy, gateway=gateway, targets=SimpleNamespace(base_urls={}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ctx, "master", SimpleNamespace(runtime=live), raising=False)
        made = intercept.Intercept()
        made.load(None)
        made.proxy = proxy
        yield made


def flow_to(url: str) -> http.HTTPFlow:
    flow = tflow.tflow(req=http.Request.make("POST", url, b"{}"))
    flow.response = None
    flow.client_conn.sni = None
    return flow


OURS = [
    ("https://api.openai.com/v1/chat/completions", "/v1/chat/completions"),
    ("https://api.anthropic.com/v1/messages", "/v1/messages"),
    ("http://localhost:11434/api/chat", "/api/chat"),
    ("https://llm.corp/v1/embeddings?x=1", "/v1/embeddings?x=1"),
]


@pytest.mark.parametrize(("url", "path"), OURS)
def test_llm_hosts_are_redirected(addon: Any, url: str, path: str) -> None:
    """To the gateway's inner listener, with the path that it knows, and streaming both ways."""
    flow = flow_to(url)
    addon.requestheaders(flow)
    request = flow.request
    assert (request.scheme, request.host, request.port, request.path) == ("http", *INNER, path)
    assert request.stream is True
    assert flow.response is None
    flow.response = http.Response.make()
    addon.responseheaders(flow)
    assert flow.response.stream is True


def test_names_from_tls(addon: Any) -> None:
    """Transparent modes see an address; the name is in the TLS handshake."""
    flow = flow_to("https://203.0.113.9/v1/messages")
    flow.client_conn.sni = "api.anthropic.com"
    addon.requestheaders(flow)
    assert flow.request.host == INNER[0]


def test_other_hosts(addon: Any, policy: str) -> None:
    """They are refused, or left alone."""
    for hook in ("requestheaders", "http_connect"):
        flow = flow_to("https://example.org/")
        getattr(addon, hook)(flow)
        assert flow.request.host == "example.org"
        assert (flow.response is None) == (policy == "pass")
    tunnel = flow_to("https://api.openai.com/")
    addon.http_connect(tunnel)
    assert tunnel.response is None


HELLOS = [
    (("api.openai.com", 443), None, False),
    (("203.0.113.9", 443), "api.openai.com", False),
    (None, "api.openai.com", False),
    (("example.org", 443), "example.org", True),
    (None, None, True),
]


@pytest.mark.parametrize(("address", "sni", "others"), HELLOS)
def test_what_passes_is_not_read(
    addon: Any, policy: str, address: Any, sni: str | None, others: bool
) -> None:
    """TLS of other hosts is opened only where it is refused."""
    data = SimpleNamespace(
        context=SimpleNamespace(server=SimpleNamespace(address=address)),
        client_hello=SimpleNamespace(sni=sni),
        ignore_connection=None,
    )
    addon.tls_clienthello(data)
    assert data.ignore_connection == (others and policy == "pass")


def test_the_way_into_the_gateway(addon: Any) -> None:
    """Only the inner listener may be connected to; it learns who the client is."""
    client = connection.Client(peername=("10.0.0.7", 5), sockname=("10.0.0.1", 8080))
    server = connection.Server(address=INNER)
    server.error = "Request destination unknown."
    server.sockname = ("127.0.0.1", 50001)
    data = SimpleNamespace(server=server, client=client)
    addon.server_connect(data)
    assert server.error is None
    addon.server_connected(data)
    assert addon.proxy.clients == {("127.0.0.1", 50001): "10.0.0.7"}
    addon.server_disconnected(data)
    assert addon.proxy.clients == {}
    for address, refused in ((("evil.example", 4001), True), (("example.org", 443), False)):
        server = connection.Server(address=address)
        addon.server_connect(SimpleNamespace(server=server, client=client))
        assert bool(server.error) == refused
        addon.server_connected(SimpleNamespace(server=server, client=client))
    assert addon.proxy.clients == {}


def test_other_protocols(addon: Any, policy: str) -> None:
    """Bytes that can't be governed don't pass where other hosts are refused; names resolve."""
    stream: tcp.TCPFlow = tflow.ttcpflow()
    datagrams: udp.UDPFlow = tflow.tudpflow()
    names: udp.UDPFlow = tflow.tudpflow()
    stream.live = datagrams.live = names.live = True
    names.server_conn.address = ("9.9.9.9", 53)
    addon.tcp_start(stream)
    addon.udp_start(datagrams)
    addon.udp_start(names)
    killed = [bool(flow.error and "kill" in flow.error.msg) for flow in (stream, datagrams, names)]
    assert killed == [policy == "refuse", policy == "refuse", False]
