"""An answer between the connection that fills it and whoever reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from llmitm.engine.answer import HIGH_WATER, Answer, UpstreamError
from llmitm.policy.outcome import Failure

CUT = UpstreamError(Failure.STREAM_CUT, "cut")


class Line:
    """The connection behind an answer; notes what the answer asks of it."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def resume(self, answer: Answer) -> None:
        self.said.append("resume")

    def abandon(self, answer: Answer) -> None:
        self.said.append("abandon")


class Seen:
    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        raise AssertionError("whoever asked tells of the head")

    def data(self, chunk: bytes) -> None:
        self.parts.append(chunk)


async def test_head_waits() -> None:
    """Whoever waits for the head gets on when it is there, with names in lower case."""
    answer = Answer(Line())
    waiting = asyncio.ensure_future(answer.head())
    await asyncio.sleep(0)
    assert not waiting.done()
    answer.raw_headers = [(b"Content-Type", b"Text/HTML; charset=x"), (b"X-A", b"\xe9")]
    answer.begin(200)
    await waiting
    assert (answer.status, answer.content_type, answer.headers["x-a"]) == (200, "text/html", "é")


async def test_chunks_are_what_has_come() -> None:
    """A chunk is all that came since the last one; b"" ends the body, as often as asked."""
    line = Line()
    answer = Answer(line)
    answer.watch = seen = Seen()
    answer.put(b"a")
    answer.put(b"b")
    assert await answer.chunk() == b"ab"
    waiting = asyncio.ensure_future(answer.chunk())
    await asyncio.sleep(0)
    answer.put(b"c")
    assert await waiting == b"c"
    answer.finish()
    assert [await answer.chunk(), await answer.chunk()] == [b"", b""]
    assert seen.parts == [b"ab", b"c"]
    assert line.said == ["resume", "resume"]


async def test_reader_is_behind() -> None:
    """Past the bound the connection hears so, until the reader has caught up."""
    answer = Answer(Line())
    assert not answer.put(bytes(HIGH_WATER))
    assert answer.put(b"1")
    await answer.chunk()
    assert not answer.put(b"1")


async def test_what_came_before_a_cut_is_read_first() -> None:
    """A body that broke off gives what it has, then the fault, as often as asked."""
    answer = Answer(Line())
    answer.put(b"half")
    answer.fail(CUT)
    assert await answer.chunk() == b"half"
    for _ in range(2):
        with pytest.raises(UpstreamError, match="cut"):
            await answer.chunk()
    assert not answer.complete


async def test_waiters_hear_of_a_cut() -> None:
    """Whoever waits for a head or a chunk is told at once."""
    for wait in (Answer.head, Answer.chunk):
        answer = Answer(Line())
        waiting = asyncio.ensure_future(wait(answer))
        await asyncio.sleep(0)
        answer.fail(CUT)
        with pytest.raises(UpstreamError):
            await waiting


async def test_a_cancelled_wait_leaves_the_answer_usable() -> None:
    """A reader that gave up waiting may come back."""
    answer = Answer(Line())
    waiting = asyncio.ensure_future(answer.chunk())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    answer.put(b"late")
    assert await answer.chunk() == b"late"


@pytest.mark.parametrize("parts", [[b"a"], [b"a", b"bc"]])
async def test_read(parts: list[bytes]) -> None:
    """All of a body that is not longer than the limit; one that is longer is refused."""
    whole = b"".join(parts)
    for limit in (len(whole), len(whole) - 1):
        answer = Answer(Line())
        for part in parts:
            answer.put(part)
        answer.finish()
        if limit < len(whole):
            with pytest.raises(UpstreamError) as caught:
                await answer.read(limit)
            assert caught.value.failure is Failure.MALFORMED
        else:
            assert await answer.read(limit) == whole


def test_close_tells_the_connection() -> None:
    """Closing an answer is for the connection to judge."""
    line = Line()
    Answer(line).close()
    assert line.said == ["abandon"]
