"""A server that the test plays itself, on the test's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.support.wire import Message

SECONDS = 40.0


class Caller:
    """One connection that the code under test opened. What doesn't come in time fails the test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def request(self) -> Message:
        """The next request with its whole body."""
        message = await self.head()
        if "chunked" in message.headers.get("transfer-encoding", ""):
            while part := await self.chunk():
                message.body += part
        else:
            message.body = await self.exactly(int(message.headers.get("content-length", 0)))
        return message

    async def head(self) -> Message:
        async with asyncio.timeout(SECONDS):
            raw = await self._reader.readuntil(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").strip("\r\n").split("\r\n")
        pairs = [line.partition(":") for line in lines]
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        assert len(headers) == len(pairs), "a header came twice"
        return Message(first, headers)

    async def chunk(self) -> bytes:
        async with asyncio.timeout(SECONDS):
            size = int(await self._reader.readuntil(b"\r\n"), 16)
        return (await self.exactly(size + 2))[:-2]

    async def exactly(self, size: int) -> bytes:
        async with asyncio.timeout(SECONDS):
            return await self._reader.readexactly(size)

    def send(self, *data: bytes) -> None:
        self._writer.write(b"".join(data))

    async def sent(self) -> None:
        """Wait until all that was sent fits into the system's buffers."""
        self._writer.transport.set_write_buffer_limits(0)
        async with asyncio.timeout(SECONDS):
            await self._writer.drain()

    @property
    def unsent(self) -> int:
        return self._writer.transport.get_write_buffer_size()

    def close(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        if not self._writer.is_closing():
            sock: socket.socket = self._writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the other side has closed."""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(SECONDS):
                while await self._reader.read(65536):
                    pass

    async def upgrade(self, context: ssl.SSLContext) -> None:
        """Speak TLS from here on, as an origin behind a tunnel does."""
        await self._writer.start_tls(context)


class Server:
    """Where the code under test connects to."""

    def __init__(self) -> None:
        self.callers: list[Caller] = []
        self.port = 0
        self._waiting: asyncio.Queue[Caller] = asyncio.Queue()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def accept(self) -> Caller:
        async with asyncio.timeout(SECONDS):
            return await self._waiting.get()

    async def asked(self) -> tuple[Caller, Message]:
        """The next connection and the first request on it."""
        caller = await self.accept()
        return caller, await caller.request()

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.callers.append(Caller(reader, writer))
        self._waiting.put_nowait(self.callers[-1])


@asynccontextmanager
async def serving(
    host: str = "127.0.0.1", context: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    server = Server()
    listener = await asyncio.start_server(server.connected, host, 0, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for caller in server.callers:
            caller.reset()
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until `condition()` holds."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 it is about code that has no event to wait for
            await asyncio.sleep(0.001)
