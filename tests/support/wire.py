"""Both ends of a gateway as plain blocking sockets, so that a test decides what happens when."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

SECONDS = 40.0
CRLF = b"\r\n"


@dataclass
class Message:
    """The head of a request or reply, and its body where that was read."""

    first: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def status(self) -> int:
        return int(self.first.split(" ")[1])

    @property
    def method(self) -> str:
        return self.first.split(" ")[0]

    @property
    def target(self) -> str:
        return self.first.split(" ")[1]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Peer:
    """One TCP connection. Whatever doesn't come within `SECONDS` fails the test."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._buffer = bytearray()
        sock.settimeout(SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, *data: bytes) -> None:
        self.socket.sendall(b"".join(data))

    def close(self) -> None:
        self.socket.close()

    def until(self, mark: bytes) -> bytes:
        """Everything up to and with `mark`. Raises EOFError where the peer closes before."""
        while (end := self._buffer.find(mark)) < 0:
            self._more()
        return self._take(end + len(mark))

    def exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        return self._take(size)

    def rest(self) -> bytes:
        """Everything until the peer closes."""
        try:
            while True:
                self._more()
        except EOFError:
            return self._take(len(self._buffer))

    def closed(self) -> bool:
        """Whether the peer closes without another byte."""
        return self.rest() == b""

    def head(self) -> Message:
        first, *lines = self.until(b"\r\n\r\n").decode("latin-1").strip("\r\n").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return Message(first, {name.lower(): value.strip() for name, _, value in pairs})

    def message(self, *, bodiless: bool = False) -> Message:
        """A head and its body, however that is framed."""
        message = self.head()
        if not bodiless:
            message.body = self.body(message)
        return message

    def body(self, message: Message) -> bytes:
        if "chunked" in message.headers.get("transfer-encoding", ""):
            return self.rest_of_chunks()
        if "content-length" in message.headers:
            return self.exactly(int(message.headers["content-length"]))
        return self.rest() if message.first.startswith("HTTP/") else b""

    def chunk(self) -> bytes:
        """One chunk of a chunked body, b"" for the last one."""
        size = int(self.until(CRLF).partition(b";")[0], 16)
        data = self.exactly(size)
        assert self.exactly(2) == CRLF
        return data

    def rest_of_chunks(self) -> bytes:
        """What is left of a chunked body."""
        return b"".join(iter(self.chunk, b""))

    def send_chunk(self, data: bytes) -> None:
        self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def _more(self) -> None:
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            raise EOFError(f"closed after {bytes(self._buffer[:200])!r}")
        self._buffer.extend(data)

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data


class Upstream:
    """A provider that the test plays itself. `url` is where it listens."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(SECONDS)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._peers: list[Peer] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for peer in self._peers:
            peer.close()

    def accept(self) -> Peer:
        sock, _ = self._listener.accept()
        peer = Peer(sock)
        self._peers.append(peer)
        return peer

    def none_waiting(self) -> None:
        """Fails where a connection came that no test asked for."""
        self._listener.setblocking(False)
        try:
            sock, _ = self._listener.accept()
        except BlockingIOError:
            return
        finally:
            self._listener.settimeout(SECONDS)
        sock.close()
        raise AssertionError("the gateway connected once more than the test knew")

    def request(self) -> tuple[Peer, Message]:
        """The next connection and the whole request on it."""
        peer = self.accept()
        return peer, peer.message()


def connect(url: str) -> Peer:
    parts = urlsplit(url)
    return Peer(socket.create_connection((parts.hostname, parts.port), SECONDS))


def request(
    method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> bytes:
    """A request as bytes; its length is told where it has a body."""
    fields = {"host": "gateway", **(headers or {})}
    if body is not None:
        fields.setdefault("content-length", str(len(body)))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + (body or b"")


def reply(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """A provider's whole reply as bytes."""
    fields = {"content-type": "application/json", "content-length": str(len(body))}
    lines = "".join(f"{n}: {v}\r\n" for n, v in {**fields, **(headers or {})}.items())
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode("latin-1") + body


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


def token(text: str) -> bytes:
    """One chunk of an OpenAI stream."""
    return event({"choices": [{"index": 0, "delta": {"content": text}}]})


def finish() -> bytes:
    return event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


DONE = b"data: [DONE]\n\n"


def event(data: Mapping[str, Any]) -> bytes:
    return b"data: %b\n\n" % json.dumps({"id": "chatcmpl-1", **data}).encode()


def chat(model: str = "m", **more: Any) -> bytes:
    """The body of a chat request."""
    messages = [{"role": "user", "content": "hi"}]
    return json.dumps({"model": model, "messages": messages, **more}).encode()


def completion(text: str = "hello", **more: Any) -> bytes:
    """The body of a chat completion."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"id": "chatcmpl-1", "choices": [choice], **more}).encode()
