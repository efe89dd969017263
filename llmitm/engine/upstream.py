"""The one way out to the providers, shared by all calls: a pool of HTTP/1.1 connections."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping

import aiohttp

from llmitm.engine.http1 import Answer, Body, UpstreamError
from llmitm.engine.pool import Origin, Pool, environment_proxy, origin_of, proxy_authorization
from llmitm.policy.outcome import Failure

__all__ = ["Answer", "Body", "Upstream", "UpstreamError"]

_BREAKS = re.compile("[\r\n\0]").search


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

        Raises UpstreamError, its failure telling a connection that never stood from one that broke.
        """
        scheme, _, rest = url.partition("://")
        authority, slash, path = rest.partition("/")
        try:
            origin = origin_of(f"{scheme}://{authority}")
        except ValueError as fault:
            raise UpstreamError(Failure.CONNECT, str(fault)) from fault
        head = request_head(method, slash + path, origin, headers, body)
        connection = await self._pool.take(origin, connect_timeout)
        return await connection.exchange(head, body, head_only=method == "HEAD")

    async def websocket(
        self, url: str, headers: Mapping[str, str], protocols: list[str], timeout: float
    ) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket. Raises aiohttp.ClientError, OSError or TimeoutError."""
        if self._websockets is None:
            connector = aiohttp.TCPConnector(limit=0, ssl=self._tls or True)
            self._websockets = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar()
            )
        scheme, _, rest = url.partition("://")
        proxy = environment_proxy(scheme, rest.partition("/")[0])
        async with asyncio.timeout(timeout):
            return await self._websockets.ws_connect(
                url, headers=headers, protocols=protocols, proxy=proxy, max_msg_size=0
            )


def request_head(
    method: str, path: str, origin: Origin, headers: Mapping[str, str], body: Body
) -> bytes:
    """Request line and headers. A header with a line break in it is left out: it would be two."""
    target = path or "/"
    lines = []
    if origin.proxy is not None and not origin.is_tls:
        target = f"http://{origin.netloc}{target}"  # RFC 9112 §3.2.2: proxies want all of it
        if credential := proxy_authorization(origin.proxy):
            lines.append(f"proxy-authorization: {credential}")
    lines += [
        f"{name}: {value}"
        for name, value in headers.items()
        if not (_BREAKS(value) or _BREAKS(name))
    ]
    if isinstance(body, bytes):
        lines.append(f"content-length: {len(body)}")
    elif body is None and method in ("POST", "PUT", "PATCH"):
        lines.append("content-length: 0")
    elif body is not None and "content-length" not in headers:
        lines.append("transfer-encoding: chunked")
    first = [f"{method} {target} HTTP/1.1", f"host: {origin.netloc}"]
    return "\r\n".join([*first, *lines, "", ""]).encode("utf-8", "surrogateescape")
