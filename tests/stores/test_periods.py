"""Splitting a stretch of time into days, hours and the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.stores.periods import BEGINNING, DAY, END, HOUR, Period, split

moments = st.floats(0, 40 * DAY)


@given(moments, moments)
def test_covers(start: float, end: float) -> None:
    """The parts are in order, without gap or overlap, and those of a span are aligned to it."""
    parts = list(split(start, end))
    edges = [start, *(part.end for part in parts)]
    assert [part.start for part in parts] == edges[:-1]
    assert edges[-1] == max(start, end)
    for part in parts:
        assert part.start < part.end
        assert not part.span or part.start % part.span == part.end % part.span == 0


@given(moments, moments)
def test_is_short(start: float, end: float) -> None:
    """Single calls are read for less than an hour at each end, hours for less than a day."""
    for part in split(start, end):
        longest = {0: HOUR, HOUR: 2 * DAY, DAY: END}[part.span]
        assert part.end - part.start < longest + HOUR * (part.span == 0)


@pytest.mark.parametrize(
    ("start", "end", "spans", "parts"),
    [
        (5, 5, (DAY, HOUR), []),
        (BEGINNING, END, (DAY, HOUR), [Period(DAY, BEGINNING, END)]),
        (HOUR, DAY, (DAY, HOUR), [Period(HOUR, HOUR, DAY)]),
        (1, 2, (DAY, HOUR), [Period(0, 1, 2)]),
        (0, 2 * DAY, (HOUR,), [Period(HOUR, 0, 2 * DAY)]),
        (0, DAY, (), [Period(0, 0, DAY)]),
    ],
)
def test_split(start: float, end: float, spans: tuple[int, ...], parts: list[Period]) -> None:
    """Uses the longest of the spans it may use."""
    assert list(split(start, end, spans)) == parts
