"""The one way out to the providers, shared by all calls: a pool of HTTP/1.1 connections."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

import aiohttp

from llmitm.engine.answer import Answer, UpstreamError
from llmitm.engine.http1 import Body
from llmitm.engine.origin import PORTS, Origin, environment_proxy, origin_of
from llmitm.engine.pool import Pool
from llmitm.policy.outcome import Failure

__all__ = ["Answer", "Body", "Upstream", "UpstreamError"]

MAX_MESSAGE = 32 << 20  # bytes of a WebSocket's message
_TOKEN = re.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search
_VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
_IS_VISIBLE = re.compile("[!-~]+").fullmatch
# What frames a message or is about one connection is decided here.
_OURS = frozenset({"connection", "content-length", "host", "transfer-encoding"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class Upstream:
    """Sends requests to providers over kept-alive, verified connections."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._pool = Pool(tls)
        self._websockets: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        self._pool.close()
        if self._websockets is not None:
            await self._websockets.close()

    @property
    def open_connections(self) -> int:
        """Connections in use or kept alive."""
        return len(self._pool)

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body,
        connect_timeout: float,
    ) -> Answer:
        """Send a request and wait for the head of the answer.

        A streamed body goes in chunks unless `headers` tell its content-length. Raises
        UpstreamError, its failure telling a connection that never stood from one that broke.
        """
        scheme, _, rest = url.partition("://")
        authority, slash, path = rest.partition("/")
        try:
            origin = origin_of(f"{scheme}://{authority}")
        except ValueError as fault:
            raise UpstreamError(Failure.CONNECT, str(fault)) from fault
        streamed = not (body is None or isinstance(body, bytes))
        length = declared_length(headers) if streamed else None
        framed = framing(method, body, length)
        head = request_head(method, slash + path, origin, headers, framed)
        head_only = method == "HEAD"
        # What can be sent once only goes where nobody hangs up on it for having been idle.
        connection = await self._pool.take(origin, connect_timeout, fresh=streamed)
        try:
            return await connection.exchange(head, body, length=length, head_only=head_only)
        except UpstreamError:
            if streamed or not connection.raced:
                raise
        connection = await self._pool.take(origin, connect_timeout, fresh=True)
        return await connection.exchange(head, body, length=length, head_only=head_only)

    async def websocket(
        self, url: str, headers: Mapping[str, str], protocols: list[str], timeout: float
    ) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket. Raises aiohttp.ClientError, OSError or TimeoutError."""
        if self._websockets is None:
            connector = aiohttp.TCPConnector(limit=0, ssl=self._tls or True)
            self._websockets = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar()
            )
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme, 443)
        proxy = environment_proxy(parts.scheme, parts.hostname or "", port)
        async with asyncio.timeout(timeout):
            return await self._websockets.ws_connect(
                url, headers=headers, protocols=protocols, proxy=proxy, max_msg_size=MAX_MESSAGE
            )


def declared_length(headers: Mapping[str, str]) -> int | None:
    """The content-length that `headers` tell, None where they don't."""
    told = next((value for name, value in headers.items() if name.lower() == "content-length"), "")
    return int(told) if told.isdecimal() else None


def framing(method: str, body: Body, length: int | None) -> str | None:
    """The header that says where the body ends (RFC 9112 §6.3); None where none is expected."""
    if isinstance(body, bytes):
        return f"content-length: {len(body)}"
    if body is None:
        return "content-length: 0" if method in _WITH_BODY else None
    return "transfer-encoding: chunked" if length is None else f"content-length: {length}"


def request_head(
    method: str, path: str, origin: Origin, headers: Mapping[str, str], framed: str | None
) -> bytes:
    """Request line and headers. A header that would be two lines, or none, is left out."""
    host, lines = origin.netloc, []
    for name, value in headers.items():
        if not _TOKEN(name) or _CONTROL(value):
            continue
        low = name.lower()
        if low == "host":
            host = value
        if low not in _OURS:
            lines.append(f"{name}: {value}")
    target = path or "/"
    if not _IS_VISIBLE(target):
        target = quote(target.encode("utf-8", "surrogateescape"), safe=_VISIBLE)
    if origin.proxy is not None and not origin.is_tls:
        target = f"http://{origin.netloc}{target}"  # RFC 9112 §3.2.2: proxies want all of it
        if origin.proxy.authorization:
            lines.append(f"proxy-authorization: {origin.proxy.authorization}")
    if framed is not None:
        lines.append(framed)
    return _encoded("\r\n".join([f"{method} {target} HTTP/1.1", f"host: {host}", *lines, "", ""]))


def _encoded(head: str) -> bytes:
    """As it came: what clients send was read as Latin-1. Only configuration can hold more."""
    try:
        return head.encode("latin-1")
    except UnicodeEncodeError:
        return head.encode("utf-8", "surrogateescape")
