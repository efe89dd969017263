"""Server-sent events give their JSON payloads, however they arrive."""

from __future__ import annotations

import pytest
from hypothesis import given

from llmitm.dialects.frames import DONE, Payloads, event
from tests.dialects.streams import PLACES, Json, cut

MIXED = (
    b': hello\n\ndata: {"n": 1}\n\nevent: x\r\ndata:{"n":\r\ndata: 2}\r\n\r\n'
    b'data: {broken\n\ndata: [3]\n\ndata: {"n": 4}\n\ndata: [DONE]\n\ndata: {"n": 5}\n\n'
)


@given(PLACES)
def test_payloads_in_any_chunking(places: list[int]) -> None:
    """Comments, junk and what follows [DONE] are left out; the rest comes in order."""
    reader = Payloads()
    found: list[Json] = [p for chunk in cut(MIXED, places) for p in reader.of(chunk)]
    assert found == [{"n": 1}, {"n": 2}, {"n": 4}, DONE]
    assert found[-1] is DONE


@pytest.mark.parametrize(
    ("rest", "found"),
    [(b'data: {"n": 1}', [{"n": 1}]), (b"data: [DONE]", [DONE]), (b'data: {"n"', []), (b"", [])],
)
def test_last_event_without_a_blank_line(rest: bytes, found: list[Json]) -> None:
    """Some servers leave the last blank line out; half an event is none."""
    reader = Payloads()
    assert reader.of(rest) == []
    assert reader.rest() == found


def test_an_empty_object_is_not_the_end() -> None:
    """DONE is told by identity."""
    (payload,) = Payloads().of(b"data: {}\n\n")
    assert payload == {}
    assert payload is not DONE


def test_event() -> None:
    """Events with and without a name."""
    assert event({"a": "ü"}) == 'data: {"a":"ü"}\n\n'.encode()
    assert event({}, "ping") == b"event: ping\ndata: {}\n\n"
