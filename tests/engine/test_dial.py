"""New connections: names, addresses that are dead, TLS that is verified, proxies."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from ports import free_ports

from llmitm.engine import dial
from llmitm.engine.dial import Dialer, verified
from llmitm.engine.origin import Origin, Proxy
from tests.support.certificates import Authority
from tests.support.origin import Server, serving

HOST = "api.provider.example"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def _found(address: str, port: int) -> list[Any]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]


class Names:
    """Stands in for the system's resolver; every name is `addresses`."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    async def getaddrinfo(self, host: str, port: int, **_: Any) -> list[Any]:
        if host in ("127.0.0.1", *self.addresses):
            return _found(host, port)
        self.asked.append(host)
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [one for address in self.addresses for one in _found(address, port)]


def resolve(*addresses: str) -> Names:
    """From here on names mean `addresses`, for this test's loop."""
    names = Names(*addresses)
    loop: Any = asyncio.get_running_loop()
    loop.getaddrinfo = names.getaddrinfo
    return names


class Ours(asyncio.Protocol):
    transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport


async def dialled(dialer: Dialer, origin: Origin) -> Ours:
    """Connect and hang up again."""
    ours = Ours()
    await dialer.open(origin, ours)
    ours.transport.abort()
    return ours


def plain(server: Server, host: str = HOST) -> Origin:
    return Origin("http", host, server.port)


async def test_names_are_looked_up_once() -> None:
    """What a name means is remembered for a while, apart for each name."""
    names = resolve("127.0.0.1")
    async with serving() as server:
        dialer = Dialer()
        for host in ("a", "a", "b", "a"):
            await dialled(dialer, plain(server, host))
        assert names.asked == ["a", "b"]


async def test_names_grow_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is looked up again after its time."""
    monkeypatch.setattr(dial, "DNS_SECONDS", 0)
    names = resolve("127.0.0.1")
    async with serving() as server:
        dialer = Dialer()
        for _ in range(2):
            await dialled(dialer, plain(server))
        assert names.asked == [HOST, HOST]


async def test_a_failure_forgets_the_name() -> None:
    """After a connection that failed or took too long, the name may mean something else."""
    names = resolve("127.0.0.2")
    async with full() as (silent, port):
        dialer = Dialer()
        origin = Origin("http", HOST, port)
        with pytest.raises(ConnectionRefusedError):
            await dialled(dialer, origin)
        names.addresses = (silent,)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await dialled(dialer, origin)
        names.addresses = ()
        with pytest.raises(socket.gaierror):
            await dialled(dialer, origin)


async def test_unknown_name() -> None:
    """A name that means nothing raises what the resolver says."""
    resolve()
    with pytest.raises(socket.gaierror):
        await dialled(Dialer(), Origin("http", HOST, 80))


@asynccontextmanager
async def full() -> AsyncIterator[tuple[str, int]]:
    """An address that lets connections wait for ever: its queue is full."""
    with contextlib.ExitStack() as stack:
        address = ("127.0.0.3", *free_ports(1))
        listener = stack.enter_context(socket.create_server(address, backlog=0))
        for _ in range(2):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        await asyncio.sleep(0)
        yield listener.getsockname()


@pytest.mark.parametrize("dead", ["refuses", "silent"])
async def test_a_dead_first_address(dead: str) -> None:
    """The next address is tried where the first refuses, or says nothing for a moment."""
    async with full() as (silent, port):
        listener = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
        resolve(silent if dead == "silent" else "127.0.0.2", "127.0.0.1")
        ours = await dialled(Dialer(), Origin("http", HOST, port))
        assert ours.transport is not None
        listener.close()


async def test_ipv6() -> None:
    """An address in brackets is connected to as it is."""
    async with serving("::1") as server:
        ours = Ours()
        await Dialer().open(Origin("http", "::1", server.port), ours)
        assert ours.transport.get_extra_info("peername")[0] == "::1"
        ours.transport.abort()


@pytest.mark.parametrize(
    ("certified", "asked"),
    [((HOST,), HOST), (("*.provider.example",), HOST), (("other", "127.0.0.1"), "127.0.0.1")],
)
async def test_trusted(
    authority: Authority, certified: tuple[str, ...], asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate for the name, of an authority that is trusted by context or SSL_CERT_FILE."""
    resolve("127.0.0.1")
    async with serving(context=authority.server(*certified)) as server:
        origin = Origin("https", asked, server.port)
        assert await dialled(Dialer(authority.client()), origin)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        assert await dialled(Dialer(), origin)


@pytest.mark.parametrize(
    ("certified", "trusted"), [((HOST,), False), (("other.example",), True), (("127.0.0.1",), True)]
)
async def test_not_trusted(authority: Authority, certified: tuple[str, ...], trusted: bool) -> None:
    """An unknown authority or another name is refused, and nothing is left open."""
    resolve("127.0.0.1")
    context = authority.client() if trusted else verified()
    async with serving(context=authority.server(*certified)) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await dialled(Dialer(context), Origin("https", HOST, server.port))


async def test_not_tls(authority: Authority) -> None:
    """A server that answers a handshake with something else is refused."""
    resolve("127.0.0.1")
    async with serving() as server:
        asking = asyncio.ensure_future(
            dialled(Dialer(authority.client()), Origin("https", HOST, server.port))
        )
        caller = await server.accept()
        caller.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with pytest.raises(ssl.SSLError):
            await asking
        await caller.gone()


def tunnelled(server: Server, credential: str | None = None) -> Origin:
    return Origin("https", HOST, 443, Proxy("127.0.0.1", server.port, credential))


async def test_tunnel(authority: Authority) -> None:
    """TLS through a proxy: asked by CONNECT with its credentials, verified against the origin."""
    async with serving() as proxy:
        ours = Ours()
        origin = tunnelled(proxy, "Basic YTpi")
        asking = asyncio.ensure_future(Dialer(authority.client()).open(origin, ours))
        caller = await proxy.accept()
        request = await caller.head()
        assert request.first == f"CONNECT {HOST}:443 HTTP/1.1"
        assert request.headers == {"host": f"{HOST}:443", "proxy-authorization": "Basic YTpi"}
        caller.send(b"HTTP/1.0 200 Connection Established\r\nvia: x\r\n", b"\r\n")
        await caller.upgrade(authority.server(HOST))
        await asking
        ours.transport.write(b"hello")
        assert await caller.exactly(5) == b"hello"
        ours.transport.abort()


async def test_tunnel_to_an_ipv6_address() -> None:
    """CONNECT has the address in brackets."""
    async with serving() as proxy:
        origin = Origin("https", "::2", 443, Proxy("127.0.0.1", proxy.port))
        asking = asyncio.ensure_future(Dialer().open(origin, Ours()))
        caller = await proxy.accept()
        assert (await caller.head()).target == "[::2]:443"
        caller.close()
        with pytest.raises(OSError, match="closed"):
            await asking


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "refused.* 407"),
        (b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", "refused.* 403"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not HTTP"),
        (b"\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\n", None),
        (b"x" * 100_000, "said too much"),
    ],
)
async def test_refused_by_a_proxy(reply: bytes, why: str | None) -> None:
    """A proxy that says no, or nothing that makes sense, is an error, and is hung up on."""
    async with serving() as proxy:
        asking = asyncio.ensure_future(Dialer().open(tunnelled(proxy), Ours()))
        caller = await proxy.accept()
        await caller.head()
        caller.send(reply)
        if why is None:
            caller.close()
        with pytest.raises(OSError, match=why or "closed"):
            await asking
        await caller.gone()


async def test_another_name_behind_a_proxy(authority: Authority) -> None:
    """A proxy can't put another server in the origin's place."""
    async with serving() as proxy:
        asking = asyncio.ensure_future(Dialer(authority.client()).open(tunnelled(proxy), Ours()))
        caller = await proxy.accept()
        await caller.head()
        caller.send(b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.suppress(OSError):
            await caller.upgrade(authority.server("other.example"))
        with pytest.raises(ssl.SSLCertVerificationError):
            await asking


@pytest.mark.parametrize("where", ["connecting", "handshake", "tunnel"])
async def test_cancelled(where: str, authority: Authority) -> None:
    """Whoever gives up while a connection is being made leaves none behind."""
    resolve("127.0.0.1")
    async with serving() as server:
        origin = Origin("https", HOST, server.port)
        if where == "tunnel":
            origin = tunnelled(server)
        asking = asyncio.ensure_future(Dialer(authority.client()).open(origin, Ours()))
        caller = None
        if where != "connecting":
            caller = await server.accept()
            await caller.exactly(5)
        else:
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()
        if caller is not None:
            await caller.gone()
