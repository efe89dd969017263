"""What is kept of a body that passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.inspector.recorder import MAX_MARKS, Recorder, parse_timing


@given(st.lists(st.binary(min_size=1)), st.integers(0, 200))
def test_keeps_the_first_bytes(chunks: list[bytes], cap: int) -> None:
    """At most `cap` bytes are held, however they come; all are counted."""
    recorder = Recorder(cap, 0.0)
    for chunk in chunks:
        recorder.data(chunk)
    whole = b"".join(chunks)
    assert recorder.body == whole[:cap]
    assert recorder.kept == len(recorder.body)
    assert recorder.size == len(whole)


@given(st.lists(st.binary(min_size=1), max_size=20))
def test_timing_tells_where_each_chunk_began(chunks: list[bytes]) -> None:
    """The offsets of the chunks can be read back."""
    recorder = Recorder(1 << 20, 0.0)
    offsets = []
    for chunk in chunks:
        offsets.append(recorder.size)
        recorder.data(chunk)
    assert [offset for offset, _ in parse_timing(recorder.timing)] == offsets


def test_marks_are_bounded() -> None:
    """A stream of very many chunks has the times of the first ones."""
    recorder = Recorder(1 << 20, 0.0)
    for _ in range(MAX_MARKS + 10):
        recorder.data(b"x")
    assert len(parse_timing(recorder.timing)) == MAX_MARKS


def test_other_text_is_no_timing() -> None:
    """A file of flows may say anything."""
    with pytest.raises(ValueError, match="invalid literal"):
        parse_timing("soon")


def test_head_is_kept() -> None:
    """The status and headers of an answer are known once its head came."""
    recorder = Recorder(1, 0.0)
    assert recorder.status is None
    recorder.begin(200, iter([(b"a", b"b")]))
    assert (recorder.status, recorder.head) == (200, ((b"a", b"b"),))
