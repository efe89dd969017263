"""Messages between the supervisor and a worker."""

from __future__ import annotations

import asyncio
import socket

import msgspec
import pytest

from llmitm.workers.channel import (
    Channel,
    Failed,
    Family,
    Message,
    Ready,
    Report,
    Row,
    decode,
)

FAMILY = Family("calls", "counter", "Calls.", "sum", (("_total", ""),))
MESSAGES: list[Message] = [
    Ready(),
    Failed("no database"),
    Report(),
    Report([FAMILY], [Row(0, (("key", "dev"),), (1.5,))], [(0, (("key", "old"),))], 2),
]


async def pair() -> tuple[Channel, Channel]:
    ends = socket.socketpair()
    return await Channel.open(ends[0]), await Channel.open(ends[1])


@pytest.mark.parametrize("message", MESSAGES, ids=str)
async def test_messages(message: Message) -> None:
    """What is sent at one end is what is heard at the other."""
    here, there = await pair()
    await here.send(message)
    frame = await there.frame()
    assert frame is not None
    assert decode(frame) == message
    here.close()
    there.close()


async def test_frames_of_any_size() -> None:
    """Frames keep their borders, empty ones and large ones too, and end with the other end."""
    here, there = await pair()
    frames = [b"", b"a" * 1_000_000, b"", b"b"]

    async def send() -> None:
        for frame in frames:
            await here.send_frame(frame)
        here.close()

    sending = asyncio.create_task(send())
    assert [frame async for frame in there.frames()] == frames
    assert await there.frame() is None
    await sending
    there.close()


async def test_a_torn_frame() -> None:
    """A frame that breaks off, as with a killed worker, is the end."""
    ours, theirs = socket.socketpair()
    channel = await Channel.open(theirs)
    ours.sendall(b"\0\0\0\x09half")
    ours.close()
    assert await channel.frame() is None
    channel.close()


async def test_sending_to_nobody() -> None:
    """Sending to an end that is closed is a ConnectionError, each time."""
    here, there = await pair()
    there.close()
    assert await here.frame() is None
    with pytest.raises(ConnectionError):
        await here.send_frame(b"a" * 10_000_000)
    here.close()
    with pytest.raises(ConnectionError):
        await here.send(Ready())


def test_another_version() -> None:
    """A message of an unknown kind is an error."""
    with pytest.raises(msgspec.DecodeError):
        decode(msgspec.msgpack.encode({"type": "Greeting"}))
