"""Embeddings."""

import struct
from base64 import b64decode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmitm.simulator import Settings
from llmitm.simulator.exchange import Exchange
from llmitm.simulator.faults import OK
from llmitm.simulator.refusals import Refused
from llmitm.simulator.vectors import as_base64, dimensions, vector


@settings(deadline=None)
@given(st.text(), st.integers(1, 32))
def test_unit_vectors(text: str, size: int) -> None:
    """Of length 1, the same for the same text, and the same in base64 up to 32 bits."""
    made = vector(0, text, size)
    assert sum(number * number for number in made) == pytest.approx(1)
    assert made == vector(0, text, size)
    packed = struct.unpack(f"<{size}f", b64decode(as_base64(made)))
    assert list(packed) == pytest.approx(made, abs=1e-6)


def test_dimensions() -> None:
    """A size is taken up to a bound."""
    assert dimensions(Exchange({}, Settings(), OK)) == 384
    assert dimensions(Exchange({"dimensions": 4096}, Settings(), OK)) == 4096
    with pytest.raises(Refused, match="at most 4096"):
        dimensions(Exchange({"dimensions": 4097}, Settings(), OK))
