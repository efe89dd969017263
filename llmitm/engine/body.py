"""Request bodies: decoded and bounded, so that no client decides how much memory we use."""

from __future__ import annotations

import zlib
from typing import Protocol

import brotli
import zstandard

from llmitm.errors import Cause, GatewayError


class _Decoder(Protocol):
    def decode(self, data: bytes, room: int) -> bytes: ...

    @property
    def finished(self) -> bool: ...


class _Zlib:
    """gzip (RFC 1952) and deflate (RFC 1950, or the raw RFC 1951 that some clients send)."""

    def __init__(self, wbits: int) -> None:
        self._wbits = wbits
        self._inner = zlib.decompressobj(wbits)

    def decode(self, data: bytes, room: int) -> bytes:
        try:
            return self._inner.decompress(data, room)
        except zlib.error:
            if self._wbits != zlib.MAX_WBITS:
                raise
            self._wbits = -zlib.MAX_WBITS
            self._inner = zlib.decompressobj(self._wbits)
            return self._inner.decompress(data, room)

    @property
    def finished(self) -> bool:
        return self._inner.eof


class _Brotli:
    def __init__(self) -> None:
        self._inner = brotli.Decompressor()

    def decode(self, data: bytes, room: int) -> bytes:
        out: bytes = self._inner.process(data, output_buffer_limit=room)
        return out

    @property
    def finished(self) -> bool:
        return bool(self._inner.is_finished())


class _Zstd:
    def __init__(self) -> None:
        self._inner = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        self.finished = False

    def decode(self, data: bytes, room: int) -> bytes:
        with self._inner.stream_reader(data) as reader:
            out = bytes(reader.read(room))
        if len(out) < room:
            # The reader can't tell a short frame from a whole one; this can, and is bounded by now.
            whole = self._inner.decompressobj()
            whole.decompress(data)
            self.finished = whole.eof
        return out


def _decoder(encoding: str) -> _Decoder:
    match encoding:
        case "gzip" | "x-gzip":
            return _Zlib(16 + zlib.MAX_WBITS)
        case "deflate":
            return _Zlib(zlib.MAX_WBITS)
        case "br":
            return _Brotli()
        case "zstd":
            return _Zstd()
    raise GatewayError(
        Cause.INVALID_REQUEST,
        f"The request's content-encoding {encoding!r} is not supported. "
        "Send gzip, deflate, br, zstd or no encoding.",
    )


def decode(body: bytes, encodings: str, limit: int) -> bytes:
    """Undo `Content-Encoding` (RFC 9110 §8.4), the last one applied first.

    Raises GatewayError: too_large past `limit` bytes, invalid_request for broken data.
    """
    for encoding in reversed([e.strip().lower() for e in encodings.split(",")]):
        if encoding in ("", "identity"):
            continue
        decoder = _decoder(encoding)
        try:
            body = decoder.decode(body, limit + 1)
        except (zlib.error, brotli.error, zstandard.ZstdError) as fault:
            raise GatewayError(
                Cause.INVALID_REQUEST, f"The request body is not valid {encoding}."
            ) from fault
        if len(body) > limit:
            raise too_large(limit)
        if not decoder.finished:
            raise GatewayError(
                Cause.INVALID_REQUEST, f"The request body's {encoding} data ends too early."
            )
    return body


def too_large(limit: int) -> GatewayError:
    return GatewayError(
        Cause.TOO_LARGE,
        f"The request body is larger than the {limit:,} bytes that this gateway accepts "
        "(http.max_body in gateway.yaml).",
    )
