"""New connections: names looked up, proxies asked, TLS verified."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import cast

import aiohappyeyeballs
import certifi

from llmitm.engine.origin import Origin

DNS_SECONDS = 300.0
HAPPY_EYEBALLS_SECONDS = 0.25  # RFC 8305 §5
MAX_PROXY_HEAD = 65_536

_Found = list[aiohappyeyeballs.AddrInfoType]


def verified() -> ssl.SSLContext:
    """Certificates are checked against the system's roots (or SSL_CERT_FILE) and Mozilla's."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


class Dialer:
    """Opens connections to origins. What names resolve to is kept, until a connection fails."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._names: dict[tuple[str, int], tuple[float, _Found]] = {}

    async def open(self, origin: Origin, protocol: asyncio.Protocol) -> None:
        """Connect `protocol` to `origin`. Raises OSError (ssl.SSLError is one) or ValueError."""
        loop = asyncio.get_running_loop()
        via = origin.proxy or origin
        try:
            sock = await self._socket(loop, via.host, via.port)
            if origin.is_tls and origin.proxy is not None:
                await tunnel(loop, sock, origin.authority, origin.proxy.authorization)
            await loop.create_connection(
                lambda: protocol,
                sock=sock,
                ssl=self._context() if origin.is_tls else None,
                server_hostname=origin.host if origin.is_tls else None,
            )
        except BaseException:
            self._names.pop((via.host, via.port), None)
            raise

    async def _socket(self, loop: asyncio.AbstractEventLoop, host: str, port: int) -> socket.socket:
        sock = await aiohappyeyeballs.start_connection(
            await self._addresses(loop, host, port),
            happy_eyeballs_delay=HAPPY_EYEBALLS_SECONDS,
            interleave=1,
            loop=loop,
        )
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return sock

    async def _addresses(self, loop: asyncio.AbstractEventLoop, host: str, port: int) -> _Found:
        known = self._names.get((host, port))
        if known is not None and loop.time() < known[0]:
            return known[1]
        found = cast("_Found", await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        self._names[host, port] = (loop.time() + DNS_SECONDS, found)
        return found

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = verified()
        return self._tls


async def tunnel(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, authority: str, credential: str | None
) -> None:
    """Have a proxy connect us to an origin (RFC 9110 §9.3.6).

    Raises OSError where it won't, with the socket closed.
    """
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if credential:
        lines.append(f"Proxy-Authorization: {credential}")
    try:
        await loop.sock_sendall(sock, "\r\n".join([*lines, "", ""]).encode())
        status = _status(await _proxy_head(loop, sock))
        if not status.startswith("2"):
            raise OSError(f"the proxy refused to connect to {authority}: {status or 'not HTTP'}")
    except BaseException:
        sock.close()
        raise


async def _proxy_head(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        # Nothing of the origin's can be in here: in TLS it is the client who speaks first.
        data = await loop.sock_recv(sock, 4096)
        if not data or len(head) > MAX_PROXY_HEAD:
            raise OSError("the proxy closed the connection, or said too much")
        head += data
    return head


def _status(head: bytes) -> str:
    first = head.partition(b"\r\n")[0].split()
    is_http = len(first) > 1 and first[0].startswith(b"HTTP/1.")
    return first[1].decode("latin-1") if is_http else ""
