"""The one pool of connections to the providers, shared by all calls."""

from __future__ import annotations

import asyncio
import ssl
import urllib.request
from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from llmitm.call import Watch
from llmitm.policy.outcome import Failure

# Sent as we have them: aiohttp adds no header of its own.
_NO_AUTO_HEADERS = frozenset({"user-agent", "accept", "accept-encoding", "content-type"})
_DNS_CACHE_SECONDS = 300
_IDLE_SECONDS = 60


class UpstreamError(Exception):
    """A target could not be reached, or what came from it broke off."""

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure


class Answer:
    """What a target answered: status and headers, and its body as it arrives."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self.raw_headers = response.raw_headers
        self.watch: Watch | None = None

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def chunk(self) -> bytes:
        """The next bytes of the body, b"" at its end. Raises UpstreamError where it breaks off."""
        try:
            data = await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as fault:
            raise UpstreamError(Failure.STREAM_CUT, _say(fault)) from fault
        if self.watch is not None:
            self.watch.data(data)
        return data

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises UpstreamError where it breaks off or is longer than `limit`."""
        parts: list[bytes] = []
        size = 0
        while part := await self.chunk():
            size += len(part)
            if size > limit:
                raise UpstreamError(Failure.MALFORMED, f"answer longer than {limit:,} bytes")
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Break the connection off unless the body was read to its end: the target stops working."""
        self._response.close()


class Upstream:
    """Sends requests to providers over kept-alive, verified connections."""

    def __init__(self, ssl_context: ssl.SSLContext | None = None) -> None:
        self._ssl_context = ssl_context
        self._session: aiohttp.ClientSession | None = None
        self._urls: dict[str, URL] = {}
        self._proxies: dict[str, str | None] = {}

    def start(self) -> None:
        connector = aiohttp.TCPConnector(
            limit=0,
            ttl_dns_cache=_DNS_CACHE_SECONDS,
            keepalive_timeout=_IDLE_SECONDS,
            ssl=self._ssl_context or True,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_NO_AUTO_HEADERS,
            max_field_size=32768,
            max_line_size=32768,
        )

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    @property
    def open_connections(self) -> int:
        """Connections in use or kept alive."""
        connector = self._session.connector if self._session else None
        if connector is None:
            return 0
        return len(connector._acquired) + sum(len(c) for c in connector._conns.values())

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | AsyncIterator[bytes] | None,
        connect_timeout: float,
    ) -> Answer:
        """Send a request and wait for the head of the answer.

        Raises UpstreamError, its failure telling a connection that never stood from one that broke.
        """
        if self._session is None:
            raise RuntimeError("the upstream pool is not started")
        try:
            response = await self._session.request(
                method,
                self._url(url),
                data=body,
                headers=headers,
                proxy=self._proxy(url),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, connect=connect_timeout),
            )
        except aiohttp.ConnectionTimeoutError as fault:
            raise UpstreamError(Failure.CONNECT_TIMEOUT, "connect timed out") from fault
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as fault:
            raise UpstreamError(Failure.CONNECT, _say(fault)) from fault
        except (aiohttp.ClientError, OSError) as fault:
            raise UpstreamError(Failure.RESET, _say(fault)) from fault
        return Answer(response)

    async def websocket(
        self, url: str, headers: Mapping[str, str], protocols: list[str], timeout: float
    ) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket. Raises aiohttp.ClientError, OSError or TimeoutError."""
        if self._session is None:
            raise RuntimeError("the upstream pool is not started")
        async with asyncio.timeout(timeout):
            return await self._session.ws_connect(
                url, headers=headers, protocols=protocols, proxy=self._proxy(url), max_msg_size=0
            )

    def _url(self, url: str) -> URL:
        known = self._urls.get(url)
        if known is None:
            if len(self._urls) > 1024:  # paths come from clients
                self._urls.clear()
            known = self._urls[url] = URL(url, encoded=True)
        return known

    def _proxy(self, url: str) -> str | None:
        origin = url.split("/", 3)[2]
        if origin not in self._proxies:
            self._proxies[origin] = environment_proxy(url)
        return self._proxies[origin]


def environment_proxy(url: str) -> str | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name for `url`."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if urllib.request.proxy_bypass_environment(f"{host}:{parts.port}" if parts.port else host):
        return None
    return urllib.request.getproxies_environment().get(parts.scheme)


def _say(fault: Exception) -> str:
    """An error for logs: what it is, without addresses of other calls or long texts."""
    return f"{type(fault).__name__}: {fault}"[:200]
