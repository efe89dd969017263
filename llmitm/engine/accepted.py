"""Accepted connections and the requests on them: aiohttp's parser, and the bounds that it lacks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler, RequestPayloadError, _ErrInfo
from mitmproxy import connection

from llmitm.errors import Cause, GatewayError

if TYPE_CHECKING:
    from llmitm.engine.edge import Edge

LINGER_SECONDS = 2.0
_WRITE_BUFFER = 65536
_VERSIONS = ((1, 0), (1, 1))


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

        Closed on unread data it would be reset, and the reply might be lost (RFC 9112 §9.6).
        """
        if self.transport is not None and self.transport.can_write_eof():
            self.transport.write_eof()
            await asyncio.sleep(LINGER_SECONDS)

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
        if message.version not in _VERSIONS:
            self.broken = BadHttpMessage("only HTTP/1.1 is spoken here")
        elif _size(message) > conn.edge.http.max_header:
            self.broken = LineTooLong("the head", conn.edge.http.max_header)
        expects = message.headers.get("expect", "").lower() == "100-continue"
        self._waits = expects and message.version >= (1, 1)
        self._task = task

    @property
    def fault(self) -> GatewayError | None:
        """Why the head can't be taken, where it can't."""
        return _malformed(self.broken) if self.broken is not None else None

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


def _size(message: RawRequestMessage) -> int:
    """Bytes of a head, which may all have come at once."""
    return len(message.path) + sum(len(name) + len(value) for name, value in message.raw_headers)


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
