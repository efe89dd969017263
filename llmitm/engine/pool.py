"""Connections to origins: names looked up, TLS verified, proxies of the environment, kept alive."""

from __future__ import annotations

import asyncio
import socket
import ssl
import urllib.request
from base64 import b64encode
from dataclasses import dataclass
from functools import lru_cache
from typing import cast
from urllib.parse import unquote, urlsplit

import aiohappyeyeballs
import certifi

from llmitm.engine.http1 import Connection, UpstreamError
from llmitm.policy.outcome import Failure

IDLE_SECONDS = 60.0
SWEEP_SECONDS = 15.0
DNS_SECONDS = 300.0
HAPPY_EYEBALLS_SECONDS = 0.25  # RFC 8305 §5


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request goes: an origin, and the proxy before it."""

    scheme: str
    host: str
    port: int
    proxy: str | None

    @property
    def is_tls(self) -> bool:
        return self.scheme == "https"

    @property
    def netloc(self) -> str:
        """As the Host header has it: without the scheme's own port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"


@lru_cache(maxsize=1024)
def origin_of(base: str) -> Origin:
    """The origin of `scheme://authority`. Raises ValueError for what is none."""
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{base!r} is no http or https address")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Origin(parts.scheme, parts.hostname, port, environment_proxy(parts.scheme, parts.netloc))


def environment_proxy(scheme: str, netloc: str) -> str | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name for an origin."""
    proxies = urllib.request.getproxies_environment()
    if urllib.request.proxy_bypass_environment(netloc, proxies):  # type: ignore[attr-defined]
        return None
    return proxies.get(scheme) or proxies.get("all")


def verified() -> ssl.SSLContext:
    """Certificates are checked against the system's roots and Mozilla's."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


class Pool:
    """Kept-alive connections per origin. Not bounded: the edge bounds the calls."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._idle: dict[Origin, list[Connection]] = {}
        self._origins: dict[Connection, Origin] = {}
        self._names: dict[tuple[str, int], tuple[float, list[aiohappyeyeballs.AddrInfoType]]] = {}
        self._sweeper: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Open connections, in use or idle."""
        return sum(connection.is_open for connection in self._origins)

    async def take(self, origin: Origin, timeout: float) -> Connection:
        """A connection to `origin`, kept alive or new. Raises UpstreamError."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.is_open:
                return connection
            self._origins.pop(connection, None)
        try:
            async with asyncio.timeout(timeout):
                return await self._connect(origin)
        except TimeoutError:
            raise UpstreamError(
                Failure.CONNECT_TIMEOUT, f"no connection to {origin.host} within {timeout:g} s"
            ) from None
        except (OSError, ssl.SSLError, ValueError) as fault:
            self._names.pop((origin.host, origin.port), None)
            what = f"{type(fault).__name__}: {fault}"[:200]
            raise UpstreamError(Failure.CONNECT, what) from fault

    def close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._origins):
            connection.close()
        self._idle.clear()
        self._origins.clear()

    def _release(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle.setdefault(self._origins[connection], []).append(connection)
        if self._sweeper is None:
            self._sweeper = loop.call_later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Close what was idle for too long, forget what was closed."""
        loop = asyncio.get_running_loop()
        old = loop.time() - IDLE_SECONDS
        for origin, idle in list(self._idle.items()):
            for connection in idle:
                if connection.idle_since < old:
                    connection.close()
            self._idle[origin] = [c for c in idle if c.is_open]
        self._origins = {c: o for c, o in self._origins.items() if c.is_open}
        self._sweeper = loop.call_later(SWEEP_SECONDS, self._sweep) if self._origins else None

    async def _connect(self, origin: Origin) -> Connection:
        loop = asyncio.get_running_loop()
        connection = Connection(self._release)
        self._origins[connection] = origin
        try:
            await self._open(loop, origin, connection)
        except BaseException:
            del self._origins[connection]
            connection.close()
            raise
        return connection

    async def _open(
        self, loop: asyncio.AbstractEventLoop, origin: Origin, connection: Connection
    ) -> None:
        tls = self._context() if origin.is_tls else None
        if origin.proxy is None:
            sock = await self._dial(loop, origin.host, origin.port)
            name = origin.host if tls else None
            await loop.create_connection(
                lambda: connection, sock=sock, ssl=tls, server_hostname=name
            )
            return
        proxy = urlsplit(origin.proxy)
        sock = await self._dial(loop, proxy.hostname or "", proxy.port or 80)
        if tls is not None:
            await _tunnel(loop, sock, origin, proxy_authorization(origin.proxy))
        await loop.create_connection(
            lambda: connection, sock=sock, ssl=tls, server_hostname=origin.host if tls else None
        )

    async def _dial(self, loop: asyncio.AbstractEventLoop, host: str, port: int) -> socket.socket:
        known = self._names.get((host, port))
        if known is None or known[0] < loop.time():
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            known = (loop.time() + DNS_SECONDS, cast("list[aiohappyeyeballs.AddrInfoType]", found))
            self._names[(host, port)] = known
        sock = await aiohappyeyeballs.start_connection(
            known[1], happy_eyeballs_delay=HAPPY_EYEBALLS_SECONDS, interleave=1, loop=loop
        )
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return sock

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = verified()
        return self._tls


def proxy_authorization(proxy: str) -> str | None:
    """The Proxy-Authorization header for the credentials in a proxy's URL."""
    parts = urlsplit(proxy)
    if parts.username is None:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return "Basic " + b64encode(pair.encode()).decode()


async def _tunnel(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, origin: Origin, credential: str | None
) -> None:
    """Have a proxy connect us to the origin (RFC 9110 §9.3.6). Raises OSError where it won't."""
    target = f"{origin.host}:{origin.port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if credential:
        lines.append(f"Proxy-Authorization: {credential}")
    await loop.sock_sendall(sock, "\r\n".join([*lines, "", ""]).encode())
    reply = b""
    while b"\r\n\r\n" not in reply:
        # Byte by byte at the end would be exact; a proxy sends nothing more before we do.
        data = await loop.sock_recv(sock, 4096)
        if not data or len(reply) > 65536:
            raise OSError(f"the proxy closed the connection to {target}")
        reply += data
    status = reply.split(b" ", 2)[1]
    if status != b"200":
        raise OSError(f"the proxy refused to connect to {target}: {status.decode('latin-1')}")
