"""The gateway listener: HTTP/1.1 in, a flow and its call out, and the reply on the wire.

aiohttp parses (llhttp, strict) and keeps connections alive and pipelined; replies are written by
`Reply`. Nothing but this file, `upstream.py` and `websocket.py` knows the HTTP library.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler, RequestPayloadError, _ErrInfo
from mitmproxy import connection, http

from llmitm.config.schema import Http
from llmitm.engine.flows import make_client, make_flow
from llmitm.engine.intake import Intake
from llmitm.engine.lifecycle import Lifecycle
from llmitm.engine.reply import Reply
from llmitm.engine.websocket import Tunnel
from llmitm.errors import Cause, GatewayError

_WRITE_BUFFER = 65536
_READ_BUFFER = 65536
_MAX_TARGET = 16384
_LINGER_SECONDS = 2.0
_CLOSE_SECONDS = 2.0
_HURRY_SECONDS = 0.1
_VERSIONS = ((1, 0), (1, 1))
_ALLOW = {"allow": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}


class GatewayConnection(RequestHandler):
    """One client connection."""

    def __init__(self, edge: Edge, server: web.Server, **settings: Any) -> None:
        super().__init__(server, **settings)
        self.edge = edge
        self.client: connection.Client | None = None
        self.payload: Any = EMPTY_PAYLOAD  # of the request that is being answered
        self._arriving: Any = EMPTY_PAYLOAD  # of the newest request
        self._head_size = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if isinstance(transport, asyncio.WriteTransport):
            transport.set_write_buffer_limits(high=_WRITE_BUFFER)
        if len(self.edge.server.connections) > self.edge.http.max_connections:
            self.force_close()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._head_ended()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, and bound what the parser doesn't: the head, in size and time."""
        if self._refused:
            return
        in_body = not self._arriving.is_eof()
        count = self._request_count
        super().data_received(data)
        if self._request_count != count:
            self._head_ended()
            self._arrived(in_body)
        elif data and not in_body and not self._upgraded:
            self._part_of_head(len(data))

    def _arrived(self, in_body: bool) -> None:
        message, payload = self._messages[-1]
        if in_body and isinstance(message, _ErrInfo) and not self._arriving.is_eof():
            # The body itself is broken: whoever reads it must hear of it, not the next request.
            self._messages.pop()
            self._arriving.set_exception(RequestPayloadError(message.message))
        else:
            self._arriving = payload
            self._refused = isinstance(message, _ErrInfo)

    def _part_of_head(self, size: int) -> None:
        self._head_size += size
        if self._head_size > self.edge.http.max_header:
            self._refuse(LineTooLong("the head", self.edge.http.max_header))
        elif self._head_timer is None and not self._close and not self._force_close:
            self._head_timer = self._loop.call_later(
                self.edge.http.header_timeout, self._refuse, TimeoutError()
            )

    def _head_ended(self) -> None:
        self._head_size = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, fault: BaseException) -> None:
        """Answer a head that will not be read to its end, and close."""
        self._head_ended()
        self._refused = True
        self._messages.append((_ErrInfo(400, fault, str(fault)), EMPTY_PAYLOAD))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _process_keepalive(self) -> None:
        if self._head_timer is None:
            super()._process_keepalive()
        else:
            self._keepalive_handle = None  # not idle: the head has a time limit of its own

    async def linger(self) -> None:
        """Close our side, and wait a while for the client to read that before it sends more.

        A connection that is closed on unread data is reset, and the reply may be lost (RFC 9112 §9.6).
        """
        if self.transport is not None and self.transport.can_write_eof():
            self.transport.write_eof()
            await asyncio.sleep(_LINGER_SECONDS)

    @property
    def reusable(self) -> bool:
        """Whether another request may follow: this one was read to its end, and we stay."""
        return bool(self.payload.is_eof()) and not self.edge.draining

    @property
    def busy(self) -> bool:
        return self._request_in_progress or bool(self._messages)

    def send(self, data: bytes) -> None:
        if self.transport is None:
            raise ConnectionResetError("the client is gone")
        self.transport.write(data)

    async def drain(self) -> None:
        if self._paused:
            await self._drain_helper()
            if self.transport is None:
                raise ConnectionResetError("the client is gone")

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def dont_linger(self) -> None:
        """Close after the reply at once: no more of the request is coming."""
        self._lingering_time = 0.0

    def _make_error_handler(self, err_info: Any) -> Callable[[Any], Awaitable[Any]]:
        async def answer(request: Incoming) -> Any:
            request.broken = err_info.exc
            sent = await self.edge.handle(request)
            await self.linger()
            return sent

        return answer


class Incoming:
    """A parsed request head, its body and its connection; what aiohttp calls a request."""

    __slots__ = ("_task", "_waits", "broken", "connection", "headers", "message", "payload")

    def __init__(
        self, message: RawRequestMessage, payload: Any, conn: GatewayConnection, task: Any
    ) -> None:
        self.message = message
        self.payload = payload
        self.connection = conn
        self.headers = message.headers
        self.broken: BaseException | None = None
        expects = message.headers.get("expect", "").lower() == "100-continue"
        self._waits = expects and message.version >= (1, 1)
        self._task = task

    def at_hand(self) -> bytes | None:
        if not self.payload.is_eof():
            return None
        try:
            return bytes(self.payload.read_nowait()) if self.payload.total_bytes else b""
        except RequestPayloadError as fault:
            raise _malformed(fault) from fault

    async def part(self) -> bytes:
        try:
            return bytes(await self.payload.readany())
        except RequestPayloadError as fault:
            raise _malformed(fault) from fault

    def go_on(self) -> None:
        if self._waits:
            self._waits = False
            self.connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def answered(self) -> None:
        if self._waits:
            self.connection.dont_linger()  # the client was not told to send its body

    def _cancel(self, fault: BaseException) -> None:
        self.payload.set_exception(fault)

    def _finish(self) -> None:
        """Nothing is kept past the reply."""


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
            edge.handle,  # type: ignore[arg-type]
            request_factory=edge.incoming,  # type: ignore[arg-type]
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
            lingering_time=_LINGER_SECONDS,
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
            try:
                async with asyncio.timeout(timeout):
                    await self._quiet.wait()
            except TimeoutError:
                pass
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
        if message.version not in _VERSIONS:
            request.broken = BadHttpMessage("only HTTP/1.1 is spoken here")
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
        refusal = None
        if self.draining:
            refusal = GatewayError(
                Cause.SHUTTING_DOWN, "The gateway is shutting down; try again.", retry_after=1
            )
        elif request.broken is not None:
            refusal = _malformed(request.broken)
        elif message.method == "CONNECT":
            refusal = GatewayError(Cause.INVALID_REQUEST, "This is no proxy for CONNECT.")
        await self.lifecycle.run(flow, reply, Intake(self.http, request, flow), refusal)
        request.answered()
        return _Sent(reply.keep_alive and not self.draining)

    def _flow(self, conn: Any, message: RawRequestMessage) -> http.HTTPFlow:
        if conn.client is None:
            conn.client = make_client(conn, self.lifecycle.runtime.proxy.clients)
        return make_flow(conn.client, message)


def _malformed(fault: BaseException) -> GatewayError:
    if isinstance(fault, TimeoutError):
        return GatewayError(Cause.TIMEOUT_CLIENT, "The head of the request came too slowly.")
    too_many = isinstance(fault, BadHttpMessage) and fault.message.startswith("Too many headers")
    if isinstance(fault, LineTooLong) or too_many:
        return GatewayError(
            Cause.HEADERS_TOO_LARGE,
            "The request's head is larger than this gateway accepts (http.max_header).",
        )
    return GatewayError(Cause.INVALID_REQUEST, "The request is not valid HTTP/1.1.")
