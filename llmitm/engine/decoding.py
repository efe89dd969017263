"""Answers in a content encoding that nobody asked for (RFC 9110 §8.4), decoded as they arrive."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import brotli
import zstandard

# A provider's few bytes must not become all of our memory: what one read may unpack to.
MAX_UNPACKED = 32 << 20
_SLICE = 256  # bytes; Zstandard turns so many into at most 8 MiB

Step = Callable[[bytes], bytes]


class Undecodable(Exception):
    """The body isn't what its Content-Encoding says, or that is one we don't know."""


class Decoding:
    """Undoes the encodings of one body."""

    def __init__(self, encodings: str) -> None:
        names = [name.strip().lower() for name in encodings.split(",")]
        self._steps = [_step(name) for name in reversed(names) if name not in ("", "identity")]

    def feed(self, data: bytes) -> bytes:
        """What `data` adds to the body. Raises Undecodable."""
        try:
            for step in self._steps:
                data = step(data)
        except (zlib.error, brotli.error, zstandard.ZstdError) as fault:
            raise Undecodable(f"{type(fault).__name__}: {fault}"[:200]) from fault
        return data


def _step(name: str) -> Step:
    match name:
        case "gzip" | "x-gzip":
            return _inflate(16 + zlib.MAX_WBITS)
        case "deflate":
            return _inflate(zlib.MAX_WBITS)
        case "br":
            return _brotli()
        case "zstd":
            return _zstd()
    raise Undecodable(f"unknown content-encoding {name[:40]!r}")


def _inflate(wbits: int) -> Step:
    inner = zlib.decompressobj(wbits)

    def step(data: bytes) -> bytes:
        out = inner.decompress(data, MAX_UNPACKED)
        return _bounded(out, more=bool(inner.unconsumed_tail))

    return step


def _brotli() -> Step:
    inner = brotli.Decompressor()

    def step(data: bytes) -> bytes:
        out: bytes = inner.process(data, output_buffer_limit=MAX_UNPACKED)
        return _bounded(out, more=not inner.can_accept_more_data())

    return step


def _zstd() -> Step:
    inner = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()

    def step(data: bytes) -> bytes:
        parts: list[bytes] = []
        size = 0
        for start in range(0, len(data), _SLICE):
            parts.append(inner.decompress(data[start : start + _SLICE]))
            size += len(parts[-1])
            _bounded(b"", more=size > MAX_UNPACKED)
        return b"".join(parts)

    return step


def _bounded(out: bytes, *, more: bool) -> bytes:
    if more:
        raise Undecodable(f"it unpacks to more than {MAX_UNPACKED:,} bytes at once")
    return out
