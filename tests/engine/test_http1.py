"""The HTTP/1.1 client connection against a server that is played by hand."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmitm.engine.answer import Answer, UpstreamError
from llmitm.engine.http1 import MAX_OVERHEAD, Connection
from llmitm.policy.outcome import Failure
from tests.support.lines import CHUNKED, EARLY, GET, LENGTH, TRAILER, line

UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nhello"


@pytest.mark.parametrize(
    ("raw", "again"),
    [
        (LENGTH, True),
        (CHUNKED, True),
        (TRAILER, True),
        (EARLY + LENGTH, True),
        (LENGTH.replace(b"\r\n", b"\r\nconnection: keep-alive\r\n", 1), True),
        (LENGTH.replace(b"\r\n", b"\r\nConnection: Close\r\n", 1), False),
        (CHUNKED.replace(b"\r\n", b"\r\nconnection: close\r\n", 1), False),
        (LENGTH.replace(b"1.1", b"1.0", 1), False),
        (LENGTH.replace(b"1.1 200 OK\r\n", b"1.0 200 OK\r\nconnection: keep-alive\r\n"), True),
    ],
)
async def test_whole_answers(raw: bytes, again: bool) -> None:
    """The body comes whole in every framing, and the connection is kept where it may be."""
    async with line() as (one, caller):
        caller.send(raw)
        answer = await one.connection.exchange(GET, None)
        assert (answer.status, await answer.read(99)) == (200, b"hello")
        assert answer.complete
        assert b"link" not in dict(answer.raw_headers)
        answer.close()
        assert (one.released, one.connection.is_open) == (int(again), again)


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
async def test_body_that_ends_with_its_connection(version: bytes) -> None:
    """Without length or chunks the end of the connection is the end of the body."""
    async with line() as (one, caller):
        caller.send(UNTIL_CLOSE.replace(b"1.1", version))
        answer = await one.connection.exchange(GET, None)
        assert await answer.chunk() == b"hello"
        assert not answer.complete
        caller.close()
        assert await answer.read(99) == b""
        assert answer.complete
        assert one.released == 0


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
@pytest.mark.parametrize("more", [b"", b"content-length: 5\r\n"])
async def test_answers_without_a_body(status: bytes, more: bytes) -> None:
    """204 and 304 have none, whatever their headers say; the connection is kept."""
    async with line() as (one, caller):
        caller.send(b"HTTP/1.1 " + status + b"\r\n" + more + b"\r\n")
        answer = await one.connection.exchange(GET, None)
        assert (await answer.read(0), answer.complete, one.released) == (b"", True, 1)


@pytest.mark.parametrize("raw", [LENGTH[:-5], LENGTH, CHUNKED, UNTIL_CLOSE])
async def test_head(raw: bytes) -> None:
    """The answer to HEAD has no body, whatever its headers say, nor what comes after them."""
    async with line() as (one, caller):
        caller.send(raw)
        answer = await one.connection.exchange(GET, None, head_only=True)
        assert (answer.status, await answer.read(0), answer.complete) == (200, b"", True)
        assert one.released == 0


@pytest.mark.parametrize("raw", [LENGTH, CHUNKED, TRAILER, EARLY + LENGTH])
@pytest.mark.parametrize("reset", [False, True])
async def test_cut(raw: bytes, reset: bool) -> None:
    """Cut anywhere, an answer never looks whole: it has its beginning, then a fault."""
    starts = raw.rindex(b"\r\n\r\n", 0, raw.index(b"hel")) + 4
    for size in range(0, len(raw), 7):
        async with line() as (one, caller):
            asking = asyncio.ensure_future(one.connection.exchange(GET, None))
            await caller.head()
            caller.send(raw[:size])
            if size >= starts:
                answer = await asking
                (caller.reset if reset else caller.close)()
                failure = await _broken(answer)
                assert b"hello".startswith(failure[1])
                assert failure[0] is Failure.STREAM_CUT
                assert not answer.complete
            else:
                (caller.reset if reset else caller.close)()
                with pytest.raises(UpstreamError) as caught:
                    await asking
                assert caught.value.failure is Failure.RESET
            assert one.released == 0


async def _broken(answer: Answer) -> tuple[Failure, bytes]:
    """How an answer breaks off, and what came before."""
    got = b""
    try:
        while part := await answer.chunk():
            got += part
    except UpstreamError as fault:
        return fault.failure, got
    raise AssertionError("a cut answer looked whole")


async def test_reset_is_no_end() -> None:
    """A body that ends with its connection is cut where the connection is reset."""
    async with line() as (one, caller):
        caller.send(UNTIL_CLOSE)
        answer = await one.connection.exchange(GET, None)
        caller.reset()
        assert await _broken(answer) == (Failure.STREAM_CUT, b"hello")


@settings(max_examples=60, deadline=None)
@given(
    raw=st.sampled_from([LENGTH, CHUNKED, TRAILER, EARLY + CHUNKED]),
    cuts=st.lists(st.integers(1, 200), max_size=12),
    end=st.integers(0, 200),
)
async def test_any_chunking_gives_the_same_answer(raw: bytes, cuts: list[int], end: int) -> None:
    """How TCP cuts an answer changes nothing, and no beginning of one is taken for the whole."""
    fake = Fake()
    asking = asyncio.ensure_future(fake.connection.exchange(GET, None))
    await asyncio.sleep(0)
    whole = end >= len(raw)
    edges = sorted({0, *(cut for cut in cuts if cut < min(end, len(raw))), min(end, len(raw))})
    for start, stop in itertools.pairwise(edges):
        fake.connection.data_received(raw[start:stop])
    if not whole:
        fake.connection.connection_lost(None)
    try:
        answer = await asking
        body = await answer.read(99)
    except UpstreamError:
        assert not whole
        assert fake.released == 0
    else:
        assert whole
        assert (body, fake.released) == (b"hello", 1)


class Fake:
    """A connection whose transport only notes what is done to it."""

    def __init__(self) -> None:
        self.released = 0
        self.written = b""
        self.aborted = False
        self.connection = Connection(self._count, lambda _: None)
        self.connection.connection_made(self)  # type: ignore[arg-type]

    def _count(self, _: Connection) -> None:
        self.released += 1

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted

    def get_write_buffer_size(self) -> int:
        return 0


@pytest.mark.parametrize(
    "raw",
    [
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"220 smtp ready\r\n",
        b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + LENGTH,
        b"HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n" + LENGTH,
        LENGTH.replace(b"content-length: 5", b"content-length: 5\r\ncontent-length: 4"),
        LENGTH.replace(b"content-length: 5", b"content-length: -5"),
        LENGTH.replace(b"content-type", b"transfer-encoding: chunked\r\ncontent-type"),
        LENGTH.replace(b"content-type: a/b", b"content-type: a/b\r\n folded"),
        LENGTH.replace(b"content-type:", b"content-type :"),
        LENGTH.replace(b"a/b", b"a\0b"),
    ],
)
async def test_garbage(raw: bytes) -> None:
    """What isn't HTTP/1.1, or could be read in two ways, fails and closes."""
    async with line() as (one, caller):
        caller.send(raw)
        with pytest.raises(UpstreamError) as caught:
            await one.connection.exchange(GET, None)
        assert caught.value.failure is Failure.MALFORMED
        await caller.gone()


async def test_garbage_in_a_body() -> None:
    """A broken chunk after good ones is a fault after good data."""
    async with line() as (one, caller):
        caller.send(CHUNKED.replace(b"2;x=y", b"zz"))
        answer = await one.connection.exchange(GET, None)
        assert await _broken(answer) == (Failure.MALFORMED, b"hel")


async def test_an_unknown_coding_is_never_whole() -> None:
    """A transfer coding that nobody asked for can't be undone: its body is never whole."""
    async with line() as (one, caller):
        caller.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nhello")
        answer = await one.connection.exchange(GET, None)
        caller.close()
        assert (await _broken(answer))[0] is Failure.STREAM_CUT


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"x-a: %s\r\n" % (b"a" * 1000)),
        (b"HTTP/1.1 200 OK\r\nx-a: ", b"a" * 1000),
        (b"", b"HTTP/1.1 103 Early Hints\r\nlink: %s\r\n\r\n" % (b"a" * 1000)),
    ],
)
async def test_a_head_without_end(start: bytes, piece: bytes) -> None:
    """Headers, one header or early answers without end are cut off before they fill memory."""
    async with line() as (one, caller):
        caller.send(start + piece * (MAX_OVERHEAD // len(piece) + 600))
        with pytest.raises(UpstreamError) as caught:
            await one.connection.exchange(GET, None)
        assert caught.value.failure is Failure.MALFORMED
        await caller.gone()


async def test_a_trailer_without_end() -> None:
    """A trailer that goes on and on is a fault, though the body was there."""
    async with line() as (one, caller):
        caller.send(CHUNKED[:-2] + b"x-a: a\r\n" * MAX_OVERHEAD)
        answer = await one.connection.exchange(GET, None)
        assert await _broken(answer) == (Failure.MALFORMED, b"hello")


async def test_a_large_body_at_once_is_no_large_head() -> None:
    """A head that comes in one read with much of its body is as small as it is."""
    body = bytes(2 * MAX_OVERHEAD)
    async with line() as (one, caller):
        caller.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body), body)
        await caller.sent()
        answer = await one.connection.exchange(GET, None)
        assert await answer.read(len(body)) == body


async def test_nothing_left_of_an_early_hint() -> None:
    """The framing of a 1xx answer is not that of the answer after it."""
    async with line() as (one, caller):
        caller.send(b"HTTP/1.1 103 Early Hints\r\ncontent-length: 5\r\n\r\n" + UNTIL_CLOSE)
        answer = await one.connection.exchange(GET, None)
        caller.close()
        assert await answer.read(99) == b"hello"
