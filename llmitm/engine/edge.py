"""The gateway listener: HTTP/1.1 in, a flow and its call out, and the reply on the wire.

aiohttp parses (llhttp, strict) and keeps connections alive and pipelined; replies are written by
`Reply`. Besides this file only `accepted.py`, `upstream.py` and `websocket.py` know that library.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any

from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.web_protocol import RequestHandler
from mitmproxy import http

from llmitm.config.schema import Http
from llmitm.engine.accepted import LINGER_SECONDS, GatewayConnection, Incoming
from llmitm.engine.flows import make_client, make_flow
from llmitm.engine.intake import Intake
from llmitm.engine.lifecycle import Lifecycle
from llmitm.engine.reply import Reply
from llmitm.engine.websocket import Tunnel
from llmitm.errors import Cause, GatewayError

_READ_BUFFER = 65536
_MAX_TARGET = 16384
_CLOSE_SECONDS = 2.0
_HURRY_SECONDS = 0.1
_ALLOW = {"allow": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}


class _Sent:
    """Tells aiohttp that the reply has been written."""

    __slots__ = ("keep_alive",)

    def __init__(self, keep_alive: bool) -> None:
        self.keep_alive = keep_alive

    async def prepare(self, _request: Any) -> None:
        """The head is on the wire."""

    async def write_eof(self) -> None:
        """The body is on the wire."""


class _Server(web.Server):
    def __init__(self, edge: Edge, **settings: Any) -> None:
        super().__init__(
            edge.handle,
            request_factory=edge.incoming,
            handler_cancellation=True,
        )
        self._edge = edge
        self._settings = settings

    def __call__(self) -> RequestHandler:
        return GatewayConnection(self._edge, self, loop=self._loop, **self._settings)


class Edge:
    """Accepts connections and hands each request, as a flow, to the lifecycle of calls."""

    def __init__(self, lifecycle: Lifecycle, http_limits: Http) -> None:
        self.lifecycle = lifecycle
        self.http = http_limits
        self.draining = False
        self._handling = 0
        self._quiet = asyncio.Event()
        self._close_seconds = _CLOSE_SECONDS
        self.server: web.Server = _Server(
            self,
            keepalive_timeout=http_limits.idle_timeout,
            max_line_size=_MAX_TARGET,
            max_field_size=http_limits.max_header,
            lingering_time=LINGER_SECONDS,
            read_bufsize=_READ_BUFFER,
            auto_decompress=False,
            access_log=None,
        )

    async def listen(
        self, host: str, port: int, *, tls: ssl.SSLContext | None, reuse_port: bool
    ) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(
            self.server, host, port, ssl=tls, reuse_port=reuse_port or None, backlog=1024
        )

    async def drain(self, timeout: float) -> None:
        """Let running calls end for up to `timeout` seconds, then break them off."""
        self.draining = True
        for conn in self.server.connections:
            if isinstance(conn, GatewayConnection) and not conn.busy:
                conn.force_close()
        if self._handling:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._quiet.wait()
        await self.server.shutdown(self._close_seconds)

    def hurry(self) -> None:
        """Let `drain` wait no longer."""
        self._close_seconds = _HURRY_SECONDS
        self._quiet.set()

    def incoming(
        self, message: RawRequestMessage, payload: Any, conn: Any, writer: Any, task: Any
    ) -> Any:
        conn.payload = payload
        if message.upgrade and message.headers.get("upgrade", "").lower() == "websocket":
            loop = asyncio.get_running_loop()
            return web.BaseRequest(message, payload, conn, writer, task, loop)
        return Incoming(message, payload, conn, task)

    async def handle(self, request: Any) -> Any:
        self._handling += 1
        try:
            if isinstance(request, web.BaseRequest):
                flow = self._flow(request.protocol, request._message)
                return await Tunnel(self.lifecycle, flow, request).run()
            return await self._answer(request)
        finally:
            self._handling -= 1
            if self.draining and not self._handling:
                self._quiet.set()

    async def _answer(self, request: Incoming) -> _Sent:
        message = request.message
        reply = Reply(
            request.connection,
            chunked_ok=message.version >= (1, 1),
            head_only=message.method == "HEAD",
            keep_alive=not (message.should_close or request.broken),
        )
        flow = self._flow(request.connection, message)
        if message.method == "OPTIONS" and not request.broken:
            # It asks what may be done, with no key; without CORS headers no browser goes on.
            flow.response = http.Response.make(204, b"", _ALLOW)
        intake = Intake(self.http, request, flow)
        await self.lifecycle.run(flow, reply, intake, self._refusal(request))
        request.answered()
        return _Sent(reply.keep_alive and not self.draining)

    def _refusal(self, request: Incoming) -> GatewayError | None:
        """Why a request is refused for its head alone."""
        if self.draining:
            return GatewayError(
                Cause.SHUTTING_DOWN, "The gateway is shutting down; try again.", retry_after=1
            )
        if request.message.method == "CONNECT":
            return GatewayError(Cause.INVALID_REQUEST, "This is no proxy for CONNECT.")
        return request.fault

    def _flow(self, conn: Any, message: RawRequestMessage) -> http.HTTPFlow:
        if conn.client is None:
            conn.client = make_client(conn, self.lifecycle.runtime.proxy.clients)
        return make_flow(conn.client, message)
