"""A provider on a raw socket that fails on purpose, in three dialects.

It speaks just enough HTTP/1.1 to do what no HTTP library would: reset before the head, cut a
chunked body, stop in the middle with the socket open.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

TEXT = "The quick brown fox jumps over the lazy dog and runs away"
WORDS = TEXT.split()
CUT_AFTER = 5
PROMPT_TOKENS = 11
REFUSALS = ("400", "401", "429", "500", "503", "context_length", "content_filter")
MID_STREAM = ("cut", "stall", "error_event", "malformed")


@dataclass
class Seen:
    """One request as it arrived. `at` is monotonic seconds."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float

    @property
    def prefill(self) -> str | None:
        """The assistant message at the end, if the request has one."""
        messages = self.body.get("messages") or [{}]
        last = messages[-1]
        if last.get("role") != "assistant":
            return None
        content = last["content"]
        return content if isinstance(content, str) else "".join(p["text"] for p in content)


@dataclass
class FaultyProvider:
    """Fails as `fault` says; None is healthy. `times` bounds how often, None is for ever.

    Faults in the middle of a stream wait for `released`, so that a test can make sure that the
    client has the beginning. With `refuse_prefill` an assistant message at the end gets a 400,
    else it is continued.
    """

    fault: str | None = None
    times: int | None = None
    refuse_prefill: bool = False
    retry_after: str | None = None
    requests: list[Seen] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    open: int = 0
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self, port: int = 0) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        if self._server:
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self._writers.add(writer)
        try:
            while seen := await _request(reader):
                self.requests.append(seen)
                if not await self._answer(seen, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the gateway hung up, which some tests are about
        finally:
            self.open -= 1
            self._writers.discard(writer)
            self.closed.set()
            writer.close()

    async def _answer(
        self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; False where the connection is over."""
        spent = self.times is not None and len(self.requests) > self.times
        fault = None if spent else self.fault
        dialect = _dialect(seen.path)
        if fault == "reset":
            _reset(writer)
            return False
        if fault == "silence":
            await reader.read(1)  # until the gateway gives up
            return False
        if fault in REFUSALS:
            await _whole(writer, *_refusal(dialect, fault), self.retry_after)
            return True
        prefill = seen.prefill
        if prefill is not None and self.refuse_prefill:
            await _whole(writer, 400, _error(dialect, "prefill is not supported", None), None)
            return True
        words = WORDS if prefill is None else TEXT[len(prefill) :].split()
        if seen.body.get("stream", dialect == "ollama"):
            return await self._stream(fault, dialect, seen, words, reader, writer)
        return await self._say(fault, dialect, seen, words, reader, writer)

    async def _say(
        self,
        fault: str | None,
        dialect: str,
        seen: Seen,
        words: list[str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """A whole answer, or what becomes of one."""
        body = _answer_body(dialect, seen, words)
        if fault == "cut":
            head = (
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            )
            writer.write(head % len(body) + body[: len(body) // 2])
            await writer.drain()
            return False
        if fault in ("stall", "slow_first_token"):
            await reader.read(1)
            return False
        await _whole(writer, 200, b'{"choices": [{"mess' if fault == "malformed" else body, None)
        return True

    async def _stream(
        self,
        fault: str | None,
        dialect: str,
        seen: Seen,
        words: list[str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        kind = b"application/x-ndjson" if dialect == "ollama" else b"text/event-stream"
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ntransfer-encoding: chunked\r\n\r\n" % kind
        )
        start, *middle, end = _events(dialect, seen, words, spaced=seen.prefill is not None)
        for event in start:
            _chunk(writer, event)
        await writer.drain()
        if fault == "slow_first_token":
            await reader.read(1)
            return False
        for count, event in enumerate(middle, 1):
            _chunk(writer, event[0])
            await writer.drain()
            if count == CUT_AFTER and fault in MID_STREAM:
                await self.released.wait()
                if not await self._break(fault, dialect, reader, writer):
                    return False
        closing = {"no_end": [], "no_done": end[:-1]}.get(fault or "", end)
        for event in closing:
            _chunk(writer, event)
        return await _last_chunk(writer)

    async def _break(
        self,
        fault: str,
        dialect: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """A fault in the middle; True where the stream goes on after it."""
        match fault:
            case "malformed":
                _chunk(writer, _malformed(dialect))
                return True
            case "stall":
                await reader.read(1)
            case "error_event":
                _chunk(writer, _in_band(dialect))
                await _last_chunk(writer)
        return False


async def _last_chunk(writer: asyncio.StreamWriter) -> bool:
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    return True


async def _request(reader: asyncio.StreamReader) -> Seen | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    line, *lines = head.split("\r\n")
    headers = {
        name.lower(): value.strip()
        for name, colon, value in (text.partition(":") for text in lines)
        if colon
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Seen(line.split()[1], headers, json.loads(body or b"{}"), time.monotonic())


def _dialect(path: str) -> str:
    if path.startswith("/api/"):
        return "ollama"
    return "anthropic" if path.startswith("/v1/messages") else "openai"


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _whole(
    writer: asyncio.StreamWriter, status: int, body: bytes, retry_after: str | None
) -> None:
    extra = f"retry-after: {retry_after}\r\n".encode() if retry_after else b""
    writer.write(
        b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\n%bcontent-length: %d\r\n\r\n%b"
        % (status, extra, len(body), body)
    )
    await writer.drain()


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(data), data))


def _refusal(dialect: str, fault: str) -> tuple[int, bytes]:
    match fault:
        case "context_length":
            if dialect == "openai":
                return 400, _error(
                    dialect, "This model's maximum context length is 10 tokens.",
                    "context_length_exceeded",
                )  # fmt: skip
            return 400, _error(dialect, "prompt is too long: 100 tokens > 10 maximum", None)
        case "content_filter":
            message = "Your request was rejected as a result of our safety system."
            return 400, _error(dialect, message, "content_policy_violation")
    return int(fault), _error(dialect, f"status {fault}", None)


def _error(dialect: str, message: str, code: str | None) -> bytes:
    if dialect == "ollama":
        return json.dumps({"error": message}).encode()
    if dialect == "anthropic":
        inner = {"type": "invalid_request_error", "message": message}
        return json.dumps({"type": "error", "error": inner}).encode()
    return json.dumps(
        {"error": {"message": message, "type": "invalid_request_error", "code": code}}
    ).encode()


def _answer_body(dialect: str, seen: Seen, words: list[str]) -> bytes:
    text, model = " ".join(words), seen.body.get("model")
    match dialect:
        case "openai":
            value: Any = {
                "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model,
                "choices": [{
                    "index": 0, "finish_reason": "stop",
                    "message": {"role": "assistant", "content": text},
                }],
                "usage": {
                    "prompt_tokens": PROMPT_TOKENS, "completion_tokens": len(words),
                    "total_tokens": PROMPT_TOKENS + len(words),
                },
            }  # fmt: skip
        case "anthropic":
            value = {
                "id": "msg_1", "type": "message", "role": "assistant", "model": model,
                "content": [{"type": "text", "text": text}], "stop_reason": "end_turn",
                "stop_sequence": None,
                "usage": {"input_tokens": PROMPT_TOKENS, "output_tokens": len(words)},
            }  # fmt: skip
        case _:
            value = _ollama(model, text, done=True, count=len(words))
    return json.dumps(value).encode()


def _events(dialect: str, seen: Seen, words: list[str], *, spaced: bool) -> Iterator[list[bytes]]:
    """The opening events, then one per word, then the closing ones."""
    model = seen.body.get("model")
    pieces = [f" {w}" if n or spaced else w for n, w in enumerate(words)]
    match dialect:
        case "openai":
            yield from _openai_events(model, seen, pieces)
        case "anthropic":
            yield from _anthropic_events(model, pieces)
        case _:
            yield []
            for piece in pieces:
                yield [json.dumps(_ollama(model, piece, done=False)).encode() + b"\n"]
            yield [json.dumps(_ollama(model, "", done=True, count=len(words))).encode() + b"\n"]


def _openai_events(model: Any, seen: Seen, pieces: list[str]) -> Iterator[list[bytes]]:
    head = {
        "id": f"chatcmpl-{model}",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": model,
    }

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        return _sse({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    yield [chunk({"role": "assistant", "content": ""})]
    for piece in pieces:
        yield [chunk({"content": piece})]
    end = [chunk({}, "stop")]
    if (seen.body.get("stream_options") or {}).get("include_usage"):
        usage = {
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": len(pieces),
            "total_tokens": PROMPT_TOKENS + len(pieces),
        }
        end.append(_sse({**head, "choices": [], "usage": usage}))
    yield [*end, b"data: [DONE]\n\n"]


def _anthropic_events(model: Any, pieces: list[str]) -> Iterator[list[bytes]]:
    usage = {"input_tokens": PROMPT_TOKENS, "output_tokens": 1}
    message = {
        "id": f"msg_{model}", "type": "message", "role": "assistant", "model": model,
        "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    block = {"type": "text", "text": ""}
    yield [
        _named({"type": "message_start", "message": message}),
        _named({"type": "content_block_start", "index": 0, "content_block": block}),
        _named({"type": "ping"}),
    ]
    for piece in pieces:
        delta = {"type": "text_delta", "text": piece}
        yield [_named({"type": "content_block_delta", "index": 0, "delta": delta})]
    yield [
        _named({"type": "content_block_stop", "index": 0}),
        _named(
            {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
             "usage": {"output_tokens": len(pieces)}}
        ),
        _named({"type": "message_stop"}),
    ]  # fmt: skip


def _ollama(model: Any, text: str, *, done: bool, count: int = 0) -> dict[str, Any]:
    value: dict[str, Any] = {
        "model": model, "created_at": "2026-01-01T00:00:00Z",
        "message": {"role": "assistant", "content": text}, "done": done,
    }  # fmt: skip
    if done:
        value |= {
            "done_reason": "stop", "prompt_eval_count": PROMPT_TOKENS, "eval_count": count,
            "total_duration": 1, "load_duration": 1, "prompt_eval_duration": 1, "eval_duration": 1,
        }  # fmt: skip
    return value


def _malformed(dialect: str) -> bytes:
    if dialect == "ollama":
        return b'{"message": {"content": "oo\n'
    name = b"event: content_block_delta\n" if dialect == "anthropic" else b""
    return name + b'data: {"choices": [{"del\n\n'


def _in_band(dialect: str) -> bytes:
    if dialect == "ollama":
        return b'{"error": "an error was encountered while running the model"}\n'
    if dialect == "anthropic":
        error = {"type": "overloaded_error", "message": "Overloaded"}
        return _named({"type": "error", "error": error})
    return _sse({"error": {"message": "The server had an error", "type": "server_error"}})


def _sse(value: Any) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def _named(value: dict[str, Any]) -> bytes:
    return b"event: " + value["type"].encode() + b"\n" + _sse(value)
