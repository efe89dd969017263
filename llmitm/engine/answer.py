"""A target's answer as it arrives: its head, then its body, no faster than somebody reads it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Protocol

from llmitm.call import Watch
from llmitm.engine.decoding import Decoding, Undecodable
from llmitm.policy.outcome import Failure

HIGH_WATER = 262_144  # bytes of an answer that wait for a slow reader

Header = tuple[bytes, bytes]


class UpstreamError(Exception):
    """A target could not be reached, or what came from it broke off."""

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure


class Source(Protocol):
    """The connection that an answer comes from."""

    def resume(self, answer: Answer) -> None:
        """The reader of `answer` has caught up."""

    def abandon(self, answer: Answer) -> None:
        """Nobody reads `answer` any more."""


class Answer:
    """What a target answered: status and headers, and its body as it arrives."""

    def __init__(self, source: Source) -> None:
        self.status = 0
        self.raw_headers: list[Header] = []
        self.headers: Mapping[str, str] = {}
        self.watch: Watch | None = None
        self.has_head = False
        self.complete = False
        self._source = source
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._fault: UpstreamError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._decoding: Decoding | None = None

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def head(self) -> None:
        """Wait for status and headers. Raises UpstreamError where none come."""
        while not self.has_head:
            await self._more()
        if "content-encoding" in self.headers:  # though we asked for none
            try:
                self._decoding = Decoding(self.headers["content-encoding"])
            except Undecodable as fault:
                raise UpstreamError(Failure.MALFORMED, str(fault)) from fault

    async def chunk(self) -> bytes:
        """The next bytes of the body, b"" at its end. Raises UpstreamError where it breaks off."""
        data = await self._received()
        while self._decoding is not None and data:
            try:
                plain = self._decoding.feed(data)
            except Undecodable as fault:
                raise UpstreamError(Failure.MALFORMED, str(fault)) from fault
            if plain:
                return plain
            data = await self._received()
        return data

    async def _received(self) -> bytes:
        """The next bytes as they came."""
        while not self._parts:
            if self.complete:
                return b""
            await self._more()
        data = self._parts.popleft() if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        self._source.resume(self)
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
        """Break the connection off unless the whole answer came: the target stops working."""
        self._source.abandon(self)

    # What the source tells.
    def begin(self, status: int) -> None:
        """Status and headers are there."""
        self.status = status
        self.has_head = True
        self.headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in self.raw_headers
        }
        self._wake()

    def put(self, data: bytes) -> bool:
        """Take a part of the body; True where the reader is too far behind."""
        self._parts.append(data)
        self._size += len(data)
        self._wake()
        return self._size > HIGH_WATER

    def finish(self) -> None:
        """The whole body is there."""
        self.complete = True
        self._wake()

    def fail(self, fault: UpstreamError) -> None:
        """Nothing more comes."""
        self._fault = fault
        self._wake()

    async def _more(self) -> None:
        """Wait for news. Raises UpstreamError where there will be none."""
        if self._fault is not None:
            raise self._fault
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
