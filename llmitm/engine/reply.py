"""The HTTP/1.1 reply to a client, written straight to its transport (RFC 9112).

Whoever answers a call writes here and nowhere else; framing, hop-by-hop headers and
backpressure are decided in this file.
"""

from __future__ import annotations

import http
import re
import time
from collections.abc import Iterable
from email.utils import formatdate
from functools import lru_cache
from typing import Protocol
from urllib.parse import urlsplit

# RFC 9110 §7.6.1, and the framing that we choose ourselves.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in http.HTTPStatus}
_BODILESS = frozenset({204, 304})
_BREAKS = re.compile(rb"[\r\n\0]").search

Header = tuple[bytes, bytes]


@lru_cache(maxsize=2)
def _date(second: int) -> bytes:
    """The Date header (RFC 9110 §6.6.1), which is the same for all replies of a second."""
    return f"date: {formatdate(second, usegmt=True)}\r\n".encode()


def local(location: bytes, url: str) -> bytes:
    """A `Location` as the client should follow it: what is on the provider's host is on ours."""
    ours = urlsplit(url)
    origin = f"{ours.scheme}://{ours.netloc}".encode()
    if location != origin and not location.startswith((origin + b"/", origin + b"?")):
        return location
    rest = location[len(origin) :]
    return rest if rest.startswith(b"/") else b"/" + rest


def hop_by_hop(headers: Iterable[Header]) -> frozenset[bytes]:
    """The names, in lower case, that are about one connection: the usual and the nominated ones."""
    nominated = [v for name, v in headers if name.lower() == b"connection"]
    if not nominated:
        return HOP_BY_HOP
    return HOP_BY_HOP.union(n.strip().lower() for v in nominated for n in v.split(b","))


class Connection(Protocol):
    """What a reply needs of the connection it is written to."""

    def send(self, data: bytes) -> None: ...

    async def drain(self) -> None: ...

    def abort(self) -> None: ...

    @property
    def reusable(self) -> bool: ...


class Reply:
    """One reply. `whole` sends it at once; `start`, `write`, `end` stream it.

    Every method that sends raises ConnectionResetError once the client is gone, and waits
    while the client reads slower than we write.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        chunked_ok: bool = True,
        head_only: bool = False,
        keep_alive: bool = True,
    ) -> None:
        self.started = False
        self.ended = False
        self.keep_alive = keep_alive
        self._connection = connection
        self._chunked_ok = chunked_ok
        self._head_only = head_only
        self._chunked = False

    async def whole(self, status: int, headers: Iterable[Header], body: bytes) -> None:
        head = self._head(status, headers)
        if status not in _BODILESS:
            head.append(b"content-length: %d\r\n" % len(body))
        head.append(b"\r\n")
        if not self._head_only and status not in _BODILESS:
            head.append(body)
        self.started = self.ended = True
        self._connection.send(b"".join(head))
        await self._connection.drain()

    async def start(self, status: int, headers: Iterable[Header]) -> None:
        """Send the head of a reply whose length is not known."""
        self._head_only = self._head_only or status in _BODILESS
        self._chunked = self._chunked_ok and not self._head_only
        # Without chunks (HTTP/1.0) the end of the body is the end of the connection.
        self.keep_alive = self.keep_alive and (self._chunked or self._head_only)
        head = self._head(status, headers)
        head.append(b"transfer-encoding: chunked\r\n\r\n" if self._chunked else b"\r\n")
        self.started = True
        self._connection.send(b"".join(head))

    async def write(self, data: bytes) -> None:
        if not data or self._head_only:
            return
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self._connection.send(data)
        await self._connection.drain()

    def comment(self, headers: Iterable[Header]) -> bool:
        """Send an SSE comment without waiting, starting an event stream if nothing was sent yet.

        False where the client is gone.
        """
        head = b""
        if not self.started:
            self._chunked = self._chunked_ok and not self._head_only
            self.keep_alive = self.keep_alive and self._chunked
            parts = self._head(200, [(b"content-type", b"text/event-stream"), *headers])
            parts.append(b"transfer-encoding: chunked\r\n\r\n" if self._chunked else b"\r\n")
            head = b"".join(parts)
            self.started = True
        data = b": keep-alive\n\n"
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        try:
            self._connection.send(head + data)
        except ConnectionResetError:
            return False
        return True

    async def end(self) -> None:
        self.ended = True
        if self._chunked:
            self._connection.send(b"0\r\n\r\n")
        await self._connection.drain()

    def abort(self) -> None:
        """Break the connection, so that what was sent can't be taken for a whole reply."""
        self.keep_alive = False
        self._connection.abort()

    def _head(self, status: int, headers: Iterable[Header]) -> list[bytes]:
        self.keep_alive = self.keep_alive and self._connection.reusable
        head = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status]
        dated = False
        for name, value in headers:
            lowered = name.lower()
            if lowered in HOP_BY_HOP or lowered == b"content-length":
                continue
            if _BREAKS(value) or _BREAKS(name):
                continue  # a header with a line break would let its author write our reply
            head.append(b"%b: %b\r\n" % (name, value))
            dated = dated or lowered == b"date"
        if not dated:
            head.append(_date(int(time.time())))
        if not self.keep_alive:
            head.append(b"connection: close\r\n")
        return head
