"""RESP2, whole and in pieces."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.stores.resp import Parser, ProtocolFault, ReplyError, encode

WIRE = b"+OK\r\n:-7\r\n$3\r\na\r\n\r\n$-1\r\n*3\r\n:1\r\n$2\r\nhi\r\n*-1\r\n*0\r\n"
REPLIES = [b"OK", -7, b"a\r\n", None, [1, b"hi", None], []]


def test_encode() -> None:
    """A command is an array of byte strings."""
    assert encode("SET", b"\x00", 5) == b"*3\r\n$3\r\nSET\r\n$1\r\n\x00\r\n$1\r\n5\r\n"
    assert encode("é") == b"*1\r\n$2\r\n\xc3\xa9\r\n"


@given(st.lists(st.integers(0, len(WIRE)), max_size=8))
def test_replies_in_any_pieces(cuts: list[int]) -> None:
    """However the network cuts them, the same replies come out."""
    edges = [0, *sorted(cuts), len(WIRE)]
    parser = Parser()
    pieces = (WIRE[a:b] for a, b in itertools.pairwise(edges))
    assert [reply for piece in pieces for reply in parser.feed(piece)] == REPLIES


def test_errors() -> None:
    """An error is a reply like any other; what is no RESP2 is a fault."""
    [error] = Parser().feed(b"-NOSCRIPT No matching script\r\n")
    assert isinstance(error, ReplyError)
    assert str(error) == "NOSCRIPT No matching script"
    with pytest.raises(ProtocolFault):
        Parser().feed(b"HTTP/1.1 400 Bad Request\r\n")
