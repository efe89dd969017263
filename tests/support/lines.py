"""Client connections without a pool: what they say of themselves is noted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from llmitm.engine.http1 import Connection
from tests.support.origin import Caller, Server, serving

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
# Answers that say "hello", in every framing that tells its end.
LENGTH = b"HTTP/1.1 200 OK\r\ncontent-type: a/b\r\ncontent-length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n"
)
TRAILER = CHUNKED[:-2] + b"x-checksum: 1\r\n\r\n"
EARLY = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"


class Line:
    """One connection of the code under test, and the other end of it."""

    def __init__(self) -> None:
        self.released = 0
        self.lost = 0
        self.connection = Connection(self._released, self._lost)

    async def open(self, server: Server) -> Caller:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self.connection, "127.0.0.1", server.port)
        return await server.accept()

    def _released(self, connection: Connection) -> None:
        assert connection is self.connection
        self.released += 1

    def _lost(self, connection: Connection) -> None:
        assert connection is self.connection
        self.lost += 1


@asynccontextmanager
async def line() -> AsyncIterator[tuple[Line, Caller]]:
    """A connection and its other end; both are closed in the end, and no task is left."""
    before = asyncio.all_tasks()
    async with serving() as server:
        one = Line()
        caller = await one.open(server)
        try:
            yield one, caller
        finally:
            one.connection.close()
            caller.close()
            await caller.gone()
            await asyncio.sleep(0)
        assert one.lost == 1
    left = {task for task in asyncio.all_tasks() - before if not task.done()}
    assert not left, left
