"""What goes over one HTTP/1.1 client connection: requests, one after the other, at whose pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from llmitm.engine.answer import HIGH_WATER, UpstreamError
from llmitm.policy.outcome import Failure
from tests.support.lines import CHUNKED, EARLY, GET, LENGTH, TRAILER, line
from tests.support.origin import until

POST = b"POST / HTTP/1.1\r\nhost: x\r\n"
CHUNKS_HEAD = POST + b"transfer-encoding: chunked\r\n\r\n"


async def stream(*parts: bytes, fault: Exception | None = None) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    if fault is not None:
        raise fault


async def test_streamed_request() -> None:
    """A body is sent part by part: in chunks, or as it is where its length is known."""
    async with line() as (one, caller):
        for length, told in ((None, "transfer-encoding"), (6, "content-length")):
            header = b"content-length: 6" if length else b"transfer-encoding: chunked"
            asking = asyncio.ensure_future(
                one.connection.exchange(
                    POST + header + b"\r\n\r\n", stream(b"abc", b"", b"def"), length=length
                )
            )
            request = await caller.request()
            assert (request.body, told in request.headers) == (b"abcdef", True)
            caller.send(LENGTH)
            assert await (await asking).read(99) == b"hello"
        assert one.released == 2


@pytest.mark.parametrize(
    ("parts", "length", "why"),
    [
        ([b"abc", b"def"], 5, "longer than the 5 bytes"),
        ([b"abc"], 5, "2 of 5 bytes are missing"),
        ([], 5, "5 of 5 bytes are missing"),
    ],
)
async def test_false_length(parts: list[bytes], length: int, why: str) -> None:
    """A body of another length than announced never reaches past its end, and fails."""
    async with line() as (one, caller):
        head = POST + b"content-length: %d\r\n\r\n" % length
        with pytest.raises(UpstreamError, match=why):
            await one.connection.exchange(head, stream(*parts), length=length)
        await caller.gone()


async def test_body_that_breaks_off() -> None:
    """Where the source of a body fails, so does the request: no end is sent."""
    async with line() as (one, caller):
        body = stream(b"abc", fault=RuntimeError("the client is gone"))
        with pytest.raises(UpstreamError, match="the client is gone") as caught:
            await one.connection.exchange(CHUNKS_HEAD, body)
        assert caught.value.failure is Failure.RESET
        await caller.gone()


async def test_answer_before_the_body_is_sent() -> None:
    """An early answer is heard; what is left of the body isn't sent, nor the connection kept."""
    more = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"abc"
        await more.wait()
        yield b"def"

    async with line() as (one, caller):
        asking = asyncio.ensure_future(one.connection.exchange(CHUNKS_HEAD, body()))
        await caller.head()
        assert await caller.chunk() == b"abc"
        caller.send(LENGTH.replace(b"200 OK", b"413 Too Large"))
        answer = await asking
        assert (answer.status, await answer.read(99)) == (413, b"hello")
        assert one.released == 0
        await caller.gone()


async def test_answer_before_the_request_is_read() -> None:
    """A connection whose request still waits to be sent is not used for the next one."""
    async with line() as (one, caller):
        caller.send(LENGTH)
        answer = await one.connection.exchange(POST + b"\r\n", bytes(64 << 20))
        assert await answer.read(99) == b"hello"
        assert (one.released, one.connection.is_open) == (0, False)


async def test_slow_server() -> None:
    """A streamed body is taken no faster than the server reads it."""
    taken = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal taken
        while taken < 100_000:
            taken += 1
            yield bytes(65536)

    async with line() as (one, caller):
        asking = asyncio.ensure_future(one.connection.exchange(CHUNKS_HEAD, body()))
        await caller.head()
        before = -1
        while before != taken:  # until it has come to a halt
            before = taken
            await asyncio.sleep(0.05)
        assert 0 < taken < 1000
        for _ in range(taken + 10):
            await caller.chunk()
        assert taken > before
        asking.cancel()
        await asyncio.wait([asking])
        await caller.gone()


async def test_slow_reader() -> None:
    """What waits for a slow reader is bounded: the server is made to wait, then goes on."""
    size = 64 << 20
    async with line() as (one, caller):
        asking = asyncio.ensure_future(one.connection.exchange(GET, None))
        await caller.head()
        caller.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size, bytes(size))
        answer = await asking
        before = 0
        while before != caller.unsent:
            before = caller.unsent
            await asyncio.sleep(0.05)
        assert caller.unsent > size // 2
        assert len(await answer.chunk()) <= HIGH_WATER * 3
        assert len(await answer.read(size)) > size // 2
        assert one.released == 1


async def test_paused_and_done() -> None:
    """A connection that was paused by the end of its answer listens again for the next one."""
    body = bytes(HIGH_WATER + 1)
    raw = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    async with line() as (one, caller):
        for _ in range(2):
            asking = asyncio.ensure_future(one.connection.exchange(GET, None))
            await caller.head()
            caller.send(raw)
            answer = await asking
            assert await answer.read(len(body)) == body


@pytest.mark.parametrize("when", ["head", "sending", "body"])
async def test_cancelled(when: str) -> None:
    """Whoever gives up while a request is on its way leaves no connection behind."""
    endless = stream(*(bytes(65536) for _ in range(1000)))
    async with line() as (one, caller):
        body = endless if when == "sending" else None

        async def ask() -> None:
            answer = await one.connection.exchange(CHUNKS_HEAD if body else GET, body)
            try:
                await answer.read(99)
            finally:
                answer.close()

        asking = asyncio.ensure_future(ask())
        await caller.head()
        if when == "body":
            caller.send(LENGTH[:-2])
            await until(lambda: one.connection._answer and one.connection._answer.has_head)
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()
        await caller.gone()
        assert (one.released, one.connection.is_open) == (0, False)


async def test_closing_a_whole_answer_keeps_the_connection() -> None:
    """Only an answer that nobody reads to its end costs its connection."""
    async with line() as (one, caller):
        for raw, kept in ((LENGTH, True), (LENGTH[:-1], False)):
            caller.send(raw)
            answer = await one.connection.exchange(GET, None)
            await answer.chunk()
            answer.close()
            answer.close()
            assert one.connection.is_open is kept


async def test_hung_up_while_idle() -> None:
    """A kept connection that the server closes as the next request leaves says it was a race."""
    for early in (b"", b"HTTP/1.1 1", EARLY):
        async with line() as (one, caller):
            caller.send(LENGTH)
            await (await one.connection.exchange(GET, None)).read(99)
            caller.send(early)
            caller.close()
            with pytest.raises(UpstreamError):
                await one.connection.exchange(GET, None)
            assert one.connection.raced is (early == b"")


async def test_no_race_on_a_new_connection() -> None:
    """A server that closes a new connection without an answer has failed."""
    async with line() as (one, caller):
        caller.close()
        with pytest.raises(UpstreamError) as caught:
            await one.connection.exchange(GET, None)
        assert caught.value.failure is Failure.RESET
        assert not one.connection.raced


async def test_no_race_later_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that had the request for long, and then closes, has failed."""
    async with line() as (one, caller):
        caller.send(LENGTH)
        await (await one.connection.exchange(GET, None)).read(99)
        await caller.head()
        monkeypatch.setattr("llmitm.engine.http1.RACE_SECONDS", 0)
        asking = asyncio.ensure_future(one.connection.exchange(GET, None))
        await caller.head()
        caller.close()
        with pytest.raises(UpstreamError):
            await asking
        assert not one.connection.raced


async def test_a_lost_connection_is_not_used() -> None:
    """Asking on a connection that is gone fails at once."""
    async with line() as (one, caller):
        caller.close()
        await until(lambda: one.lost)
        with pytest.raises(UpstreamError):
            await one.connection.exchange(GET, None)


@pytest.mark.parametrize("more", [LENGTH, LENGTH[:20], b"H", b"garbage", CHUNKED[:60]])
async def test_more_than_was_asked_for(more: bytes) -> None:
    """Bytes after the answer close the connection: the next answer on it might be a false one."""
    async with line() as (one, caller):
        caller.send(LENGTH + more)
        answer = await one.connection.exchange(GET, None)
        assert await answer.read(99) == b"hello"
        await caller.gone()
        assert one.released == 0


async def test_a_word_while_idle() -> None:
    """A server that speaks unasked is hung up on."""
    async with line() as (one, caller):
        caller.send(LENGTH)
        await (await one.connection.exchange(GET, None)).read(99)
        assert one.released == 1
        caller.send(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
        await caller.gone()
        assert not one.connection.is_open


async def test_requests_one_after_the_other() -> None:
    """A connection takes request after request, whatever their framing."""
    async with line() as (one, caller):
        for count, raw in enumerate([LENGTH, CHUNKED, EARLY + LENGTH, TRAILER] * 3, 1):
            caller.send(raw)
            answer = await one.connection.exchange(GET, None)
            assert await answer.read(99) == b"hello"
            assert one.released == count
