"""Puts a reply on the connection byte by byte, so that every fault of a peer can be played."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from email.utils import formatdate
from functools import lru_cache
from typing import Any, Final

from aiohttp import ClientConnectionResetError, HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from llmitm.simulator.ids import new_id
from llmitm.simulator.reply import Break, Mark, Pause, Reply, Step

# With linger on and 0 seconds, closing a socket sends RST (socket(7)).
_LINGER_0: Final = struct.pack("ii", 1, 0)
_LAST_CHUNK: Final = b"0\r\n\r\n"
# Ollama sends none.
_REQUEST_ID: Final = {
    "openai": "x-request-id",
    "responses": "x-request-id",
    "anthropic": "request-id",
}


class Sent(web.StreamResponse):
    """Tells aiohttp that the reply is on the wire already, and whether to keep the connection."""

    def __init__(self, *, keep_alive: bool) -> None:
        super().__init__()
        self._kept = keep_alive

    @property
    def keep_alive(self) -> bool:
        return self._kept

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to write."""


class Wire:
    """The connection under one request. `tokens` counts the token events sent."""

    def __init__(self, request: web.BaseRequest, pace: float | None = None) -> None:
        if request.transport is None:
            raise ClientConnectionResetError("the client is gone")
        self._request = request
        self._transport: asyncio.Transport = request.transport
        self._chunked = request.version >= HttpVersion11
        self._gap = 1 / pace if pace else 0.0
        self._next = 0.0
        self.tokens = 0

    async def play(self, reply: Reply) -> Sent:
        """Sends `reply` and all that goes wrong in it. Raises ConnectionError for a lost client."""
        keep = self._request.keep_alive and (self._chunked or reply.steps is None)
        whole = await self._all(reply, keep=keep)
        return Sent(keep_alive=keep and whole)

    async def step(self, step: Step) -> bool:
        """Performs one step of a stream; False where the connection broke."""
        match step:
            case Break():
                await self.broken(step)
                return False
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case (mark, data):
                if mark is Mark.TOKEN:
                    await self.paced()
                await self._send(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
        return True

    async def paced(self) -> None:
        """Waits until the next token is due, and counts it."""
        self.tokens += 1
        if not self._gap:
            await asyncio.sleep(0)
            return
        now = asyncio.get_running_loop().time()
        # Counted from the token before, so that small delays do not add up.
        await asyncio.sleep(max(0.0, self._next - now))
        self._next = max(self._next, now - self._gap) + self._gap

    async def broken(self, how: Break) -> None:
        """Breaks the connection; a stall lasts until the client gives up."""
        if how is Break.STALL:
            await asyncio.get_running_loop().create_future()
        if how is Break.RESET:
            raw: Any = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
            self._transport.abort()
        self._transport.close()

    async def _all(self, reply: Reply, *, keep: bool) -> bool:
        for early in reply.before:
            if not await self.step(early):
                return False
        head = self._head(reply, keep=keep)
        if reply.slow_headers:
            status, head = head.split(b"\r\n", 1)
            await self._send(status + b"\r\n")
            await asyncio.sleep(reply.slow_headers)
        if self._request.method == "HEAD":
            await self._send(head)
        elif reply.steps is None:
            await self._send(head + reply.body)
        elif not await self._stream(head, reply):
            return False
        if reply.after is not None:
            await self.broken(reply.after)
        return reply.after is None

    async def _stream(self, head: bytes, reply: Reply) -> bool:
        await self._send(head)
        for step in reply.steps or ():
            if not await self.step(step):
                return False
        if self._chunked:
            await self._send(_LAST_CHUNK)
        return True

    async def _send(self, data: bytes) -> None:
        if self._transport.is_closing():
            raise ClientConnectionResetError("the client is gone")
        self._transport.write(data)
        await self._request.writer.drain()

    def _head(self, reply: Reply, *, keep: bool) -> bytes:
        if reply.steps is not None:
            framing = "transfer-encoding: chunked\r\n" if self._chunked else ""
        else:
            length = len(reply.body) if reply.length is None else reply.length
            framing = f"content-length: {length}\r\n"
        extra = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
        if name := _REQUEST_ID.get(reply.dialect):
            extra += f"{name}: {new_id('req_')}\r\n"
        if not keep:
            extra += "connection: close\r\n"
        return (
            f"HTTP/1.1 {reply.status} {reply.reason}\r\n"
            f"date: {_date(int(time.time()))}\r\n"
            f"content-type: {reply.content_type}\r\n"
            f"{framing}{extra}\r\n"
        ).encode("latin-1")


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
