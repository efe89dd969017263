"""Events as bytes."""

from hypothesis import given
from hypothesis import strategies as st

from llmitm.simulator.frames import HOLE, data, line, mould, named


@given(st.text(), st.text())
def test_mould(model: str, text: str) -> None:
    """A moulded event is the one that would have been encoded, whatever the model's name is."""
    made = mould(data({"model": model + HOLE, "text": HOLE}))
    assert made(text) == data({"model": model + HOLE, "text": text})


def test_named_and_line() -> None:
    """An event is named for its type, a line is bare JSON."""
    assert named({"type": "ping"}) == b'event: ping\ndata: {"type":"ping"}\n\n'
    assert line({"done": True}) == b'{"done":true}\n'
