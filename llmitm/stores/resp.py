"""The protocol of Redis and Valkey, RESP2, as far as scripts and simple commands need it.

Source: the "Redis serialization protocol specification".
"""

from __future__ import annotations

type Argument = str | bytes | int
type Reply = bytes | int | ReplyError | list[Reply] | None

_END = b"\r\n"


class ReplyError(Exception):
    """The store answered with an error: its code and text."""


class ProtocolFault(Exception):
    """What came is no RESP2."""


def encode(*arguments: Argument) -> bytes:
    """One command."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


class Parser:
    """Puts replies together from bytes as they come."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that are complete now. Raises ProtocolFault."""
        self._buffer += data
        replies: list[Reply] = []
        position = 0
        while (parsed := self._parse(position)) is not None:
            reply, position = parsed
            replies.append(reply)
        self._buffer = self._buffer[position:]
        return replies

    def _parse(self, start: int) -> tuple[Reply, int] | None:
        """The reply at `start` and where it ends; None where it isn't complete."""
        end = self._buffer.find(_END, start)
        if end < 0:
            return None
        kind, line, rest = self._buffer[start : start + 1], self._buffer[start + 1 : end], end + 2
        match kind:
            case b"+":
                return line, rest
            case b"-":
                return ReplyError(line.decode(errors="replace")), rest
            case b":":
                return int(line), rest
            case b"$":
                return self._bulk(int(line), rest)
            case b"*":
                return self._array(int(line), rest)
        raise ProtocolFault(f"a reply can't begin with {kind!r}")

    def _bulk(self, length: int, start: int) -> tuple[Reply, int] | None:
        if length < 0:
            return None, start
        end = start + length
        return (self._buffer[start:end], end + 2) if len(self._buffer) >= end + 2 else None

    def _array(self, length: int, start: int) -> tuple[Reply, int] | None:
        if length < 0:
            return None, start
        items: list[Reply] = []
        for _ in range(length):
            parsed = self._parse(start)
            if parsed is None:
                return None
            item, start = parsed
            items.append(item)
        return items, start
