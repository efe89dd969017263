"""Clients that see what is really on the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from llmitm.simulator import Settings, Simulator

type Start = Callable[[Settings], Awaitable[Simulator]]
type Post = Callable[..., Awaitable[aiohttp.ClientResponse]]

MESSAGES = [{"role": "user", "content": "Hi there"}]

PATHS = {
    "openai": "/v1/chat/completions",
    "responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "ollama": "/api/chat",
}
DIALECTS = list(PATHS)


@dataclass
class Raw:
    """What came in on a socket, and whether a reset ended it."""

    data: bytes = b""
    reset: bool = False

    @property
    def head(self) -> str:
        return self.data.partition(b"\r\n\r\n")[0].decode()

    @property
    def body(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[2]


class Connection:
    """One TCP connection to the simulator."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def post(
        self, path: str, body: dict[str, Any], *, version: str = "1.1", close: bool = False
    ) -> None:
        data = json.dumps(body).encode()
        head = f"POST {path} HTTP/{version}\r\nHost: sim\r\nContent-Length: {len(data)}\r\n"
        if close:
            head += "Connection: close\r\n"
        self.writer.write(head.encode() + b"\r\n" + data)
        await self.writer.drain()

    async def read_until(self, text: bytes) -> bytes:
        return await self.reader.readuntil(text)

    async def read_all(self) -> Raw:
        raw = Raw()
        try:
            while data := await self.reader.read(65536):
                raw.data += data
        except ConnectionResetError:
            raw.reset = True
        return raw

    def close(self) -> None:
        self.writer.transport.abort()


def ask(dialect: str, fault: str, *, stream: bool) -> dict[str, Any]:
    """A request for six tokens, spoilt by `fault`."""
    separator = "," if ":" in fault else ":"
    body = {"model": f"m@{fault}{separator}tokens=6", "stream": stream}
    if dialect == "responses":
        return {**body, "input": MESSAGES}
    return {**body, "messages": MESSAGES, "max_tokens": 50}
