"""An HTTP/1.1 client connection (RFC 9112): one request at a time, the answer as it arrives.

llhttp parses. What a body lacks at the end of the connection is told from what it announced, so
that a cut answer never looks whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

import httptools

from llmitm.engine.answer import Answer, UpstreamError
from llmitm.policy.outcome import Failure

MAX_OVERHEAD = 131_072  # bytes of a head, or of trailers and chunk extensions, with no body in them
RACE_SECONDS = 1.0
VERSIONS = frozenset({"1.0", "1.1"})

Body = bytes | AsyncIterator[bytes] | None


class Connection(asyncio.Protocol):
    """One connection to an origin or proxy.

    `released` is called when it may be used again, `lost` once it is closed. `raced` says that
    the peer closed it, idle since its last answer, as the next request left (RFC 9112 §9.6).
    """

    def __init__(
        self, released: Callable[[Connection], None], lost: Callable[[Connection], None]
    ) -> None:
        self.transport: asyncio.Transport | None = None
        self.idle_since = 0.0
        self.raced = False
        self._released = released
        self._lost = lost
        self._answer: Answer | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._sending: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._uses = self._overhead = 0
        self._asked = 0.0
        self._heard = self._paused = self._framed = self._head_only = self._reusable = False

    @property
    def is_open(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    async def exchange(
        self, head: bytes, body: Body, *, length: int | None = None, head_only: bool = False
    ) -> Answer:
        """Send a request and wait for the answer's head. Raises UpstreamError.

        A streamed body is sent in chunks unless its `length` in bytes is known; `head` says so.
        `head_only` is for HEAD, whose answer has no body whatever its headers say.
        """
        if self.transport is None:
            raise UpstreamError(Failure.RESET, "the connection was closed")
        loop = asyncio.get_running_loop()
        answer = self._answer = Answer(self)
        self._parser = httptools.HttpResponseParser(self)
        self._head_only = head_only
        self._heard = self._framed = self._reusable = False
        self._overhead = 0
        self._uses += 1
        self._asked = loop.time()
        if body is None or isinstance(body, bytes):
            self.transport.write(head + body if body else head)
        else:
            self.transport.write(head)
            self._sending = loop.create_task(self._send(body, length))
        try:
            await answer.head()
        except BaseException:
            self.abandon(answer)
            raise
        return answer

    def resume(self, answer: Answer) -> None:
        if self._paused and answer is self._answer and self.is_open:
            self._read_on()

    def abandon(self, answer: Answer) -> None:
        if answer is self._answer:
            self.close()

    def close(self, fault: UpstreamError | None = None) -> None:
        """Break the connection off; whoever waits for its answer hears why."""
        answer, self._answer, self._parser = self._answer, None, None
        if answer is not None:
            answer.fail(fault or UpstreamError(Failure.RESET, "the connection was closed"))
        self._stop_sending()
        if self.transport is not None:
            self.transport.abort()

    async def _send(self, body: AsyncIterator[bytes], length: int | None) -> None:
        """Pass a streamed body on, no faster than the target reads it."""
        left = length
        try:
            async for part in body:
                if left is not None:
                    left -= len(part)
                    if left < 0:
                        raise ValueError(f"it is longer than the {length} bytes announced")
                    self._write(part)
                elif part:
                    self._write(b"%x\r\n%b\r\n" % (len(part), part))
                await self._writable.wait()
            if left:
                raise ValueError(f"{left} of {length} bytes are missing")
            if left is None:
                self._write(b"0\r\n\r\n")
        except Exception as fault:  # noqa: BLE001 whoever feeds the body decides what it raises
            self.close(UpstreamError(Failure.RESET, f"the request body broke off: {fault}"))

    def _write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)

    def _stop_sending(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    def _read_on(self) -> None:
        self._paused = False
        if self.transport is not None:
            self.transport.resume_reading()

    # asyncio.Protocol
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        parser = self._parser
        if parser is None:
            self.close()  # a target that speaks unasked is not to be trusted with a request
            return
        self._heard = True
        self._overhead += len(data)
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as fault:
            self.close(UpstreamError(Failure.MALFORMED, f"not HTTP/1.1: {fault}"))
            return
        if self._answer is None:
            self._finished()
        elif self._overhead > MAX_OVERHEAD:
            self.close(
                UpstreamError(Failure.MALFORMED, "the answer's head or trailer is too large")
            )

    def connection_lost(self, exc: Exception | None) -> None:
        answer, self._answer = self._answer, None
        self.transport = self._parser = None
        self._writable.set()
        self._stop_sending()
        self._lost(self)
        if answer is None:
            return
        if answer.has_head and not self._framed and exc is None:
            answer.finish()  # a body without length or chunks ends with its connection
            return
        waited = asyncio.get_running_loop().time() - self._asked
        self.raced = self._uses > 1 and not self._heard and waited < RACE_SECONDS
        failure = Failure.STREAM_CUT if answer.has_head else Failure.RESET
        where = "in the answer" if answer.has_head else "before an answer"
        reason = f" ({exc})" if exc else ""
        answer.fail(UpstreamError(failure, f"the connection was lost {where}{reason}"))

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # httptools
    def on_message_begin(self) -> None:
        if self._answer is None:
            self._reusable = False  # more than was asked for: the next answer could be a false one

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._answer is not None and not self._answer.has_head:
            self._answer.raw_headers.append((name, value))
            if name.lower() in (b"content-length", b"transfer-encoding"):
                self._framed = True

    def on_headers_complete(self) -> None:
        answer, parser = self._answer, self._parser
        if answer is None or parser is None:
            return
        status = parser.get_status_code()
        if parser.get_http_version() not in VERSIONS or status == 101:
            why = "the answer is in a protocol that was not asked for"
            self.close(UpstreamError(Failure.MALFORMED, why))
        elif status < 200:
            answer.raw_headers.clear()  # 100 Continue, 103 Early Hints
            self._framed = False
        else:
            answer.begin(status)
            if self._head_only:
                self._answer = None  # llhttp can't be told that HEAD's answer has no body
                answer.finish()

    def on_body(self, data: bytes) -> None:
        self._overhead = 0
        if self._answer is not None and self._answer.put(data) and self.transport is not None:
            self._paused = True
            self.transport.pause_reading()

    def on_message_complete(self) -> None:
        answer, parser = self._answer, self._parser
        if answer is not None and answer.has_head and parser is not None:
            self._answer = None
            self._reusable = parser.should_keep_alive()
            answer.finish()

    def _finished(self) -> None:
        """An answer has come to its end: on to the next request, if both sides are done."""
        sent = self._sending is None or self._sending.done()
        if self.transport is None or not (self._reusable and sent and self.is_open):
            self.close()
            return
        if self.transport.get_write_buffer_size():
            self.close()  # answered before it has read the request
            return
        self._parser = self._sending = None
        if self._paused:
            self._read_on()
        self._released(self)
