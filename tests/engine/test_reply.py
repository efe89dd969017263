"""Replies on the wire."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest

from llmitm.engine.reply import HOP_BY_HOP, Reply, hop_by_hop

JSON = [(b"content-type", b"application/json")]


class Wire:
    """A connection that keeps what it is sent."""

    def __init__(self, *, reusable: bool = True) -> None:
        self.sent = b""
        self.aborted = False
        self.reusable = reusable
        self.drained = 0

    def send(self, data: bytes) -> None:
        if self.aborted:
            raise ConnectionResetError
        self.sent += data

    async def drain(self) -> None:
        self.drained += 1

    def abort(self) -> None:
        self.aborted = True


def wire(play: Callable[[Reply], Awaitable[None]], reply: Reply, connection: Wire) -> bytes:
    asyncio.run(_run(play, reply))
    return re.sub(rb"date: [^\r]+ GMT\r\n", b"", connection.sent)


async def _run(play: Callable[[Reply], Awaitable[None]], reply: Reply) -> None:
    await play(reply)


async def whole(reply: Reply) -> None:
    await reply.whole(200, JSON, b"{}")


async def streamed(reply: Reply) -> None:
    await reply.start(200, JSON)
    await reply.write(b"one")
    await reply.write(b"")
    await reply.write(b"two" * 10)
    await reply.end()


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


@pytest.mark.parametrize(
    ("play", "options", "expected"),
    [
        (whole, {}, HEAD + b"content-length: 2\r\n\r\n{}"),
        (whole, {"keep_alive": False}, HEAD + b"connection: close\r\ncontent-length: 2\r\n\r\n{}"),
        (whole, {"head_only": True}, HEAD + b"content-length: 2\r\n\r\n"),
        (
            streamed,
            {},
            HEAD + b"transfer-encoding: chunked\r\n\r\n3\r\none\r\n1e\r\n"
            b"twotwotwotwotwotwotwotwotwotwo\r\n0\r\n\r\n",
        ),
        (
            streamed,
            {"chunked_ok": False},
            HEAD + b"connection: close\r\n\r\nonetwotwotwotwotwotwotwotwotwotwo",
        ),
        (streamed, {"head_only": True}, HEAD + b"\r\n"),
    ],
    ids=["whole", "close", "HEAD", "chunked", "HTTP/1.0", "streamed HEAD"],
)
def test_replies(
    play: Callable[[Reply], Awaitable[None]], options: dict[str, bool], expected: bytes
) -> None:
    """Frames each kind of reply as RFC 9112 wants it."""
    connection = Wire()
    assert wire(play, Reply(connection, **options), connection) == expected


@pytest.mark.parametrize("status", [204, 304])
def test_bodiless(status: int) -> None:
    """Sends neither body nor length with a status that has none, and keeps the connection."""

    async def play_whole(reply: Reply) -> None:
        await reply.whole(status, [], b"ignored")

    async def play_stream(reply: Reply) -> None:
        await reply.start(status, [])
        await reply.write(b"ignored")
        await reply.end()

    for play in (play_whole, play_stream):
        connection = Wire()
        reply = Reply(connection)
        sent = wire(play, reply, connection)
        assert sent.startswith(b"HTTP/1.1 %d " % status)
        assert sent.endswith(b"\r\n\r\n")
        assert b"ignored" not in sent
        assert b"length" not in sent
        assert b"chunked" not in sent
        assert reply.keep_alive


def test_connection_that_takes_no_other_request() -> None:
    """Says that it closes where the request was not read to its end."""
    connection = Wire(reusable=False)
    reply = Reply(connection)
    assert b"connection: close\r\n" in wire(whole, reply, connection)
    assert not reply.keep_alive


@pytest.mark.parametrize(
    "header",
    [
        (b"x", b"a\r\nset-cookie: b"),
        (b"x", b"a\nb"),
        (b"x\r\ny", b"a"),
        (b"x", b"a\0b"),
        (b"connection", b"keep-alive"),
        (b"Transfer-Encoding", b"gzip"),
        (b"Content-Length", b"99"),
    ],
)
def test_headers_that_are_left_out(header: tuple[bytes, bytes]) -> None:
    """Leaves out what would end or reframe the reply."""

    async def play(reply: Reply) -> None:
        await reply.whole(200, [header, *JSON], b"{}")

    connection = Wire()
    assert wire(play, Reply(connection), connection) == HEAD + b"content-length: 2\r\n\r\n{}"


def test_comment_before_and_after_the_head() -> None:
    """A keep-alive comment begins a stream that has not begun, and is a chunk of one that has."""
    connection = Wire()
    reply = Reply(connection)
    assert reply.comment([(b"x-request-id", b"1")])
    assert reply.comment([])
    chunk = b"e\r\n: keep-alive\n\n\r\n"
    assert connection.sent.endswith(b" GMT\r\ntransfer-encoding: chunked\r\n\r\n" + chunk * 2)
    connection.aborted = True
    assert not reply.comment([])


def test_abort() -> None:
    """A reply that is broken off never ends like a whole one."""
    connection = Wire()
    reply = Reply(connection)

    async def play(reply: Reply) -> None:
        await reply.start(200, JSON)
        await reply.write(b"half")
        reply.abort()

    assert wire(play, reply, connection).endswith(b"4\r\nhalf\r\n")
    assert connection.aborted
    assert not reply.keep_alive


def test_unknown_status() -> None:
    """Passes on a status that has no name."""

    async def play(reply: Reply) -> None:
        await reply.whole(599, JSON, b"{}")

    connection = Wire()
    assert wire(play, Reply(connection), connection).startswith(b"HTTP/1.1 599 \r\n")


def test_waits_for_slow_readers() -> None:
    """Every write waits until the client has read enough."""
    connection = Wire()
    wire(streamed, Reply(connection), connection)
    assert connection.drained == 3


def test_hop_by_hop() -> None:
    """The names that Connection nominates are hop-by-hop too."""
    assert hop_by_hop([(b"x", b"y")]) is HOP_BY_HOP
    assert hop_by_hop([(b"Connection", b"X-A, x-b"), (b"x-a", b"1")]) == HOP_BY_HOP | {
        b"x-a",
        b"x-b",
    }
