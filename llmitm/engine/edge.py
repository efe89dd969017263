"""The gateway listener: HTTP/1.1 in, a flow and its call out, and the reply on the wire.

aiohttp parses (llhttp, strict) and keeps connections alive and pipelined; replies are written by
`Reply`. Nothing but this file and `upstream.py` knows the HTTP library.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler, RequestPayloadError
from mitmproxy import connection, http

from llmitm.call import Call, attach
from llmitm.config.schema import Http
from llmitm.dialects import paths
from llmitm.engine.body import decode, too_large
from llmitm.engine.lifecycle import Lifecycle
from llmitm.engine.form import FormScan, is_form
from llmitm.engine.reply import Reply
from llmitm.engine.upload import Upload
from llmitm.errors import Cause, GatewayError

logger = logging.getLogger(__name__)

_WRITE_BUFFER = 65536
_READ_BUFFER = 65536
_LINGER_SECONDS = 2.0


class GatewayConnection(RequestHandler):
    """One client connection."""

    def __init__(self, edge: Edge, server: web.Server, **settings: Any) -> None:
        super().__init__(server, **settings)
        self.edge = edge
        self.client: connection.Client | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if isinstance(transport, asyncio.WriteTransport):
            transport.set_write_buffer_limits(high=_WRITE_BUFFER)
        if len(self.edge.server.connections) > self.edge.http.max_connections:
            self.force_close()

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

    def _make_error_handler(self, err_info: Any) -> Callable[[Any], Awaitable[Any]]:
        async def answer(request: Incoming) -> Any:
            request.broken = err_info.exc
            return await self.edge.handle(request)

        return answer


class Incoming:
    """A parsed request head, its body stream and its connection; what aiohttp calls a request."""

    __slots__ = ("_task", "broken", "connection", "headers", "message", "payload", "remote")

    def __init__(
        self, message: RawRequestMessage, payload: Any, conn: GatewayConnection, task: Any
    ) -> None:
        self.message = message
        self.payload = payload
        self.connection = conn
        self.headers = message.headers
        self.remote = conn.peername
        self.broken: BaseException | None = None
        self._task = task

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
        self.server: web.Server = _Server(
            self,
            keepalive_timeout=http_limits.idle_timeout,
            max_line_size=16384,
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
        self.server.pre_shutdown()
        await self.server.shutdown(timeout)

    def incoming(
        self, message: RawRequestMessage, payload: Any, conn: Any, writer: Any, task: Any
    ) -> Any:
        if message.upgrade and message.headers.get("upgrade", "").lower() == "websocket":
            request = web.BaseRequest(
                message, payload, conn, writer, task, asyncio.get_running_loop()
            )
            return request
        return Incoming(message, payload, conn, task)

    async def handle(self, request: Any) -> Any:
        if isinstance(request, web.BaseRequest):
            return await self._upgrade(request)
        message = request.message
        reply = Reply(
            request.connection,
            chunked_ok=message.version >= (1, 1),
            head_only=message.method == "HEAD",
            keep_alive=not (message.should_close or self.draining or request.broken),
        )
        flow = make_flow(request.connection, message)
        intake = _Intake(self.http, request, flow)
        refusal = None
        if self.draining:
            refusal = GatewayError(
                Cause.SHUTTING_DOWN, "The gateway is shutting down; try again.", retry_after=1
            )
        await self.lifecycle.run(flow, reply, intake, refusal)
        return _Sent(reply.keep_alive)

    async def _upgrade(self, request: web.BaseRequest) -> web.StreamResponse:
        from llmitm.engine.websocket import tunnel

        conn = request.protocol
        flow = make_flow(conn, request._message)
        return await tunnel(self.lifecycle, flow, request)


def make_flow(conn: Any, message: RawRequestMessage) -> http.HTTPFlow:
    """A real flow for a parsed request head, with its call attached. The body is still out."""
    client = conn.client
    if client is None:
        client = conn.client = _client(conn)
    now = time.time()
    path = message.path
    host, port = client.sockname[0], client.sockname[1]
    request = http.Request(
        host=host,
        port=port,
        method=message.method.encode(),
        scheme=b"https" if client.tls else b"http",
        authority=b"",
        path=path.encode("utf-8", "surrogateescape"),
        http_version=b"HTTP/1.1",
        headers=http.Headers(message.raw_headers),
        content=b"",
        trailers=None,
        timestamp_start=now,
        timestamp_end=now,
    )
    flow = http.HTTPFlow(client, connection.Server(address=None), live=True)
    flow.request = request
    bare = paths.strip_prefix(path.partition("?")[0])
    dialect, operation = paths.recognise(message.method, bare, message.headers)
    call = Call(
        request_id=f"req_{os.urandom(12).hex()}",
        dialect=dialect,
        operation=operation,
        path=bare,
        client=str(client.peername[0]),
        ts=now,
    )
    attach(flow, call)
    return flow


def _client(conn: Any) -> connection.Client:
    return connection.Client(
        peername=_address(conn.peername),
        sockname=_address(conn.sockname),
        state=connection.ConnectionState.OPEN,
        tls=conn.ssl_context is not None,
    )


def _address(name: Any) -> tuple[str, int]:
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else (str(name or ""), 0)


class _Intake:
    """Reads a request's body when it is asked for: after the headers were let in."""

    def __init__(self, limits: Http, request: Incoming, flow: http.HTTPFlow) -> None:
        self._limits = limits
        self._request = request
        self._flow = flow

    async def read(self) -> Upload | None:
        """Put the body on the flow. A long body that isn't JSON comes back as a stream instead.

        Raises GatewayError for a body that is broken, too long or too slow.
        """
        request = self._request
        if request.broken is not None:
            raise _malformed(request.broken)
        payload = request.payload
        if payload.is_eof():
            body = payload.read_nowait() if payload.total_bytes else b""
            if len(body) > self._limits.max_body:
                raise too_large(self._limits.max_body)
            return self._keep(body)
        length = request.headers.get("content-length")
        streams = not self._wants_json()
        if not streams and length is not None and int(length) > self._limits.max_body:
            raise too_large(self._limits.max_body)
        if request.headers.get("expect", "").lower() == "100-continue":
            request.connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        bound = self._limits.buffer_body if streams else self._limits.max_body
        parts: list[bytes] = []
        size = 0
        while part := await self._next():
            parts.append(part)
            size += len(part)
            if size > bound:
                if streams:
                    return self._stream(b"".join(parts))
                raise too_large(bound)
        return self._keep(b"".join(parts))

    def _wants_json(self) -> bool:
        kind = self._request.headers.get("content-type", "")
        return "json" in kind or (not kind.startswith("multipart/") and kind != "application/octet-stream")

    async def _next(self) -> bytes:
        payload = self._request.payload
        try:
            async with asyncio.timeout(self._limits.body_timeout):
                part = await payload.readany()
        except TimeoutError:
            raise GatewayError(
                Cause.TIMEOUT_CLIENT,
                f"No part of the request body arrived for {self._limits.body_timeout:g} seconds.",
            ) from None
        except RequestPayloadError as fault:
            raise _malformed(fault) from fault
        return bytes(part)

    def _keep(self, body: bytes) -> None:
        headers = self._flow.request.headers
        encodings = headers.get("content-encoding")
        if encodings and body and self._wants_json():
            body = decode(body, encodings, self._limits.max_body)
            del headers["content-encoding"]
        self._flow.request.raw_content = body
        self._flow.request.timestamp_end = time.time()
        return None

    def _stream(self, head: bytes) -> Upload:
        self._flow.request.raw_content = None
        self._flow.request.stream = True

        async def rest() -> AsyncIterator[bytes]:
            yield head
            while part := await self._next():
                yield part

        return Upload(rest(), form_model(head))


def form_model(head: bytes) -> str | None:
    """The `model` field of a multipart form (RFC 7578), where it comes early enough to be seen."""
    found = _MODEL_FIELD.search(head)
    return found.group(1).decode("utf-8", "replace") if found else None


def _malformed(fault: BaseException) -> GatewayError:
    if isinstance(fault, LineTooLong):
        return GatewayError(
            Cause.HEADERS_TOO_LARGE,
            "The request's head is larger than this gateway accepts (http.max_header).",
        )
    return GatewayError(Cause.INVALID_REQUEST, "The request is not valid HTTP/1.1.")
