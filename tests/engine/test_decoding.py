"""Answers decoded as they arrive."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from llmitm.engine.decoding import MAX_UNPACKED, Decoding, Undecodable

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "X-GZIP": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
    "identity": bytes,
    "gzip, br": lambda data: brotli.compress(gzip.compress(data)),
}


@pytest.mark.parametrize("encoding", PACK)
@given(data=st.binary(max_size=3000), size=st.integers(1, 400))
def test_pieces(encoding: str, data: bytes, size: int) -> None:
    """Gives back what was encoded, whatever the pieces it comes in."""
    packed = PACK[encoding](data)
    decoding = Decoding(encoding)
    pieces = (packed[at : at + size] for at in range(0, len(packed), size))
    assert b"".join(map(decoding.feed, pieces)) == data


def test_at_once() -> None:
    """Gives a flushed piece as soon as it is there, so that a packed stream still streams."""
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    decoding = Decoding("gzip")
    for number in range(3):
        piece = packer.compress(b"token %d" % number) + packer.flush(zlib.Z_SYNC_FLUSH)
        assert decoding.feed(piece) == b"token %d" % number


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_bomb(encoding: str) -> None:
    """Refuses what unpacks to more than the bound at once."""
    bomb = PACK[encoding](bytes(2 * MAX_UNPACKED))
    with pytest.raises(Undecodable, match="unpacks"):
        Decoding(encoding).feed(bomb)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_garbage(encoding: str) -> None:
    """Refuses what isn't in the encoding that it claims."""
    with pytest.raises(Undecodable):
        Decoding(encoding).feed(b"This is plain text, as anyone can see." * 3)


@pytest.mark.parametrize("encoding", ["compress", "gzip, unheard-of"])
def test_unknown(encoding: str) -> None:
    """Refuses an encoding that it doesn't know."""
    with pytest.raises(Undecodable, match="unknown content-encoding"):
        Decoding(encoding)
