"""Request bodies decoded within a bound."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from contextlib import suppress

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from llmitm.engine.body import decode
from llmitm.errors import Cause, GatewayError


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "GZIP": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
    "identity": bytes,
    "": bytes,
}


@pytest.mark.parametrize("encoding", PACK)
@given(body=st.binary(max_size=2000))
def test_decode(encoding: str, body: bytes) -> None:
    """Gives back what was encoded."""
    assert decode(PACK[encoding](body), encoding, 2000) == body


@given(body=st.binary(max_size=2000))
def test_raw_deflate(body: bytes) -> None:
    """Takes deflate without its zlib head too, as some clients send it."""
    assert decode(raw_deflate(body), "deflate", 2000) == body


@given(body=st.binary(max_size=500))
def test_several(body: bytes) -> None:
    """Undoes several encodings, the last one applied first."""
    packed = brotli.compress(zstandard.compress(gzip.compress(body)))
    assert decode(packed, "gzip, zstd, br", 2000) == body


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("size", [1001, 5_000_000])
def test_too_large(encoding: str, size: int) -> None:
    """Refuses what unpacks to more than the limit, and takes what is just as long."""
    assert len(decode(PACK[encoding](bytes(1000)), encoding, 1000)) == 1000
    with pytest.raises(GatewayError) as refused:
        decode(PACK[encoding](bytes(size)), encoding, 1000)
    assert refused.value.cause is Cause.TOO_LARGE


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@given(data=st.binary(min_size=1, max_size=200))
def test_garbage(encoding: str, data: bytes) -> None:
    """Whatever comes, gives bytes or a refusal."""
    with suppress(GatewayError):
        assert isinstance(decode(data, encoding, 1000), bytes)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("lost", [1, 8])
def test_cut(encoding: str, lost: int) -> None:
    """Refuses data that ends too early."""
    packed = PACK[encoding](b"The quick brown fox jumps over the lazy dog. " * 9)
    with pytest.raises(GatewayError) as refused:
        decode(packed[:-lost], encoding, 10_000)
    assert refused.value.cause is Cause.INVALID_REQUEST


@pytest.mark.parametrize("encoding", ["compress", "gzip, lzma", "gzip;q=1"])
def test_unknown(encoding: str) -> None:
    """Refuses an encoding that it doesn't know, and says which it does."""
    with pytest.raises(GatewayError, match="Send gzip, deflate, br, zstd"):
        decode(gzip.compress(b"x"), encoding, 1000)
