"""An HTTP/1.1 client connection (RFC 9112): one request at a time, the answer as it arrives.

llhttp parses. What a body lacks at the end of the connection is told from what it announced, so
that a cut answer never looks whole.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import cast

import httptools

from llmitm.call import Watch
from llmitm.policy.outcome import Failure

HIGH_WATER, LOW_WATER = 262_144, 65_536  # bytes of an answer that wait for a slow reader
MAX_HEAD = 131_072

Body = bytes | AsyncIterator[bytes] | None
Header = tuple[bytes, bytes]


class UpstreamError(Exception):
    """A target could not be reached, or what came from it broke off."""

    def __init__(self, failure: Failure, message: str) -> None:
        super().__init__(message)
        self.failure = failure


class Answer:
    """What a target answered: status and headers, and its body as it arrives."""

    def __init__(self, connection: Connection) -> None:
        self.status = 0
        self.raw_headers: list[Header] = []
        self.headers: Mapping[str, str] = {}
        self.watch: Watch | None = None
        self.complete = False
        self._connection = connection
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._fault: UpstreamError | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def chunk(self) -> bytes:
        """The next bytes of the body, b"" at its end. Raises UpstreamError where it breaks off."""
        while not self._parts:
            if self.complete:
                return b""
            if self._fault is not None:
                raise self._fault
            await self._wait()
        data = self._parts.popleft() if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        self._connection.resume(self)
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
        self._connection.abandon(self)

    # What the connection tells.
    async def head(self) -> None:
        """Wait for status and headers. Raises UpstreamError where none come."""
        while not self.headers_done and self._fault is None:
            await self._wait()
        if not self.headers_done and self._fault is not None:
            raise self._fault

    headers_done = False

    def put(self, data: bytes) -> bool:
        """Take a part of the body; True where the reader is too far behind."""
        self._parts.append(data)
        self._size += len(data)
        self._wake()
        return self._size > HIGH_WATER

    def finish(self) -> None:
        self.complete = True
        self._wake()

    def fail(self, fault: UpstreamError) -> None:
        if not self.complete and self._fault is None:
            self._fault = fault
            self._wake()

    def begin(self) -> None:
        """Status and headers are there."""
        self.headers_done = True
        self.headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in self.raw_headers
        }
        self._wake()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Connection(asyncio.Protocol):
    """One connection to an origin or proxy. `released` is called when it may be used again."""

    def __init__(self, released: Callable[[Connection], None]) -> None:
        self.transport: asyncio.Transport | None = None
        self.idle_since = 0.0
        self._released = released
        self._answer: Answer | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._sending: asyncio.Task[None] | None = None
        self._paused = self._framed = self._head_only = False
        self._head_size = 0

    @property
    def is_open(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    async def exchange(self, head: bytes, body: Body, *, head_only: bool = False) -> Answer:
        """Send a request and wait for the answer's head. Raises UpstreamError."""
        if self.transport is None:
            raise UpstreamError(Failure.RESET, "the connection was closed")
        answer = self._answer = Answer(self)
        self._parser = httptools.HttpResponseParser(self)
        self._head_only = head_only
        self._framed = False
        self._head_size = 0
        if body is None or isinstance(body, bytes):
            self.transport.write(head + body if body else head)
        else:
            self.transport.write(head)
            chunked = b"\r\ntransfer-encoding: chunked\r\n" in head
            self._sending = asyncio.get_running_loop().create_task(self._send(body, chunked))
        try:
            await answer.head()
        except BaseException:
            self.abandon(answer)
            raise
        return answer

    async def _send(self, body: AsyncIterator[bytes], chunked: bool) -> None:
        """Pass a streamed body on, no faster than the target reads it."""
        try:
            async for part in body:
                if part:
                    self._write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
                    await self._writable.wait()
            if chunked:
                self._write(b"0\r\n\r\n")
        except asyncio.CancelledError:
            raise
        except Exception as fault:  # noqa: BLE001 whoever feeds the body decides what it raises
            self._break(UpstreamError(Failure.RESET, f"the request body broke off: {fault}"))

    def _write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)

    def resume(self, answer: Answer) -> None:
        """The reader of `answer` has caught up."""
        if self._paused and answer is self._answer and self.transport is not None:
            self._paused = False
            self.transport.resume_reading()

    def abandon(self, answer: Answer) -> None:
        """Nobody reads `answer` any more."""
        if answer is self._answer:
            self.close()

    def close(self) -> None:
        self._answer = None
        if self._sending is not None:
            self._sending.cancel()
        if self.transport is not None:
            self.transport.abort()

    # asyncio.Protocol
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._parser is None or self._answer is None:
            self.close()  # a target that speaks unasked is not to be trusted with a request
            return
        if not self._answer.headers_done:
            self._head_size += len(data)
            if self._head_size > MAX_HEAD:
                self._break(UpstreamError(Failure.MALFORMED, "the answer's head is too large"))
                return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as fault:
            self._break(UpstreamError(Failure.MALFORMED, f"not HTTP/1.1: {fault}"))

    def eof_received(self) -> None:
        """Closing our side too is what asyncio does with None."""

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._writable.set()
        answer = self._answer
        if answer is None:
            return
        if answer.headers_done and not self._framed and exc is None:
            answer.finish()  # a body without length or chunks ends with its connection
            return
        failure = Failure.STREAM_CUT if answer.headers_done else Failure.RESET
        what = "in the answer" if answer.headers_done else "before an answer"
        reason = f" ({exc})" if exc else ""
        answer.fail(UpstreamError(failure, f"the connection was lost {what}{reason}"))

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # httptools
    def on_header(self, name: bytes, value: bytes) -> None:
        if self._answer is not None and not self._answer.headers_done:
            self._answer.raw_headers.append((name, value))
            if name.lower() in (b"content-length", b"transfer-encoding"):
                self._framed = True

    def on_headers_complete(self) -> None:
        answer, parser = self._answer, self._parser
        if answer is None or parser is None:
            return
        answer.status = parser.get_status_code()
        if answer.status < 200:
            answer.raw_headers.clear()  # 100 Continue, 103 Early Hints
            return
        self._framed = self._framed or answer.status in (204, 304)
        answer.begin()
        if self._head_only:
            answer.finish()
            self.close()  # llhttp can't be told that HEAD's answer has no body

    def on_body(self, data: bytes) -> None:
        if self._answer is not None and self._answer.put(data) and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()

    def on_message_complete(self) -> None:
        answer, parser = self._answer, self._parser
        if answer is None or parser is None or answer.status < 200:
            return
        self._answer = None
        answer.finish()
        sent = self._sending is None or self._sending.done()
        if not sent or not self.is_open or not parser.should_keep_alive():
            self.close()
            return
        self._parser = self._sending = None
        if self._paused and self.transport is not None:
            self._paused = False
            self.transport.resume_reading()
        self._released(self)

    def _break(self, fault: UpstreamError) -> None:
        answer = self._answer
        if answer is not None:
            answer.fail(fault)
        self.close()
