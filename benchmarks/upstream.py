"""A provider as fast as Python allows: canned answers, so that what is measured is the gateway.

Run as `python -m benchmarks.upstream PORT`. A body with `"stream":true` gets `EVENTS` events.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import cast

import uvloop

WORDS = "word " * 80
EVENTS = 200
_USAGE = {"prompt_tokens": 20, "completion_tokens": EVENTS, "total_tokens": 20 + EVENTS}


def _whole() -> bytes:
    body = json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "bench",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": WORDS},
                    "finish_reason": "stop",
                }
            ],
            "usage": _USAGE,
        }
    ).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def _event(choice: dict[str, object] | None, **extra: object) -> bytes:
    value = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "bench",
        "choices": [choice] if choice else [],
        **extra,
    }
    data = b"data: " + json.dumps(value).encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


def _stream() -> list[bytes]:
    """The pieces of a streamed answer, each written by itself."""
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    token = _event({"index": 0, "delta": {"content": " word"}, "finish_reason": None})
    done = b"data: [DONE]\n\n"
    return [
        head,
        _event({"index": 0, "delta": {"role": "assistant"}, "finish_reason": None}),
        *[token] * EVENTS,
        _event({"index": 0, "delta": {}, "finish_reason": "stop"}),
        _event(None, usage=_USAGE),
        b"%x\r\n%b\r\n0\r\n\r\n" % (len(done), done),
    ]


WHOLE, STREAM = _whole(), _stream()


class Canned(asyncio.Protocol):
    """Answers every request whose head and body have come."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._paused: asyncio.Event | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            body = self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            self._answer(b'"stream":true' in body or b'"stream": true' in body)

    def _answer(self, streamed: bool) -> None:
        assert self._transport is not None
        if not streamed:
            self._transport.write(WHOLE)
            return
        task = asyncio.get_running_loop().create_task(self._stream())
        task.add_done_callback(lambda t: t.exception())

    async def _stream(self) -> None:
        for piece in STREAM:
            if self._transport is None or self._transport.is_closing():
                return
            self._transport.write(piece)
            await asyncio.sleep(0)  # each event is a packet of its own, as from a real model


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Canned, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
