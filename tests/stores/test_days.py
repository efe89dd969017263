"""Days of other zones out of totals of UTC's days."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.stores.days import Move, day_of, move
from llmitm.stores.periods import DAY, HOUR
from llmitm.stores.row import QUARTER

TODAY = 20_777 * DAY
offsets = st.integers(-56, 56).map(lambda quarters: quarters * QUARTER)
quarters = st.integers(0, DAY // QUARTER - 1).map(lambda number: TODAY + number * QUARTER)


def day(moment: int, span: int, offset: int) -> int:
    with closing(sqlite3.connect(":memory:")) as connection:
        [number] = connection.execute(f"SELECT {day_of(str(moment), span, offset)}").fetchone()
    return int(number)


def moved(moment: int, what: Move | None) -> int:
    return what.days if what and what.begin <= moment % DAY < what.end else 0


@given(offsets, quarters)
def test_every_quarter_is_in_its_day(offset: int, quarter: int) -> None:
    """After the hours were moved, and the quarters, each counts for the day that it is in."""
    hour = quarter // HOUR * HOUR
    found = day(TODAY, DAY, offset) + moved(hour, move(DAY, HOUR, offset))
    assert found == day(hour, HOUR, offset)
    assert found + moved(quarter, move(HOUR, 0, offset)) == (quarter + offset) // DAY


@given(offsets)
def test_little_is_moved(offset: int) -> None:
    """At most half of a day, and of the hours half of one."""
    hours, calls = move(DAY, HOUR, offset), move(HOUR, 0, offset)
    assert hours is None or hours.end - hours.begin <= DAY // 2
    assert calls is None or calls.end - calls.begin <= HOUR // 2


@pytest.mark.parametrize(
    ("offset", "hours", "calls"),
    [
        (0, None, None),
        (2 * HOUR, Move(22 * HOUR, DAY, 1), None),
        (-8 * HOUR, Move(0, 8 * HOUR, -1), None),
        (13 * HOUR, Move(0, 11 * HOUR, -1), None),
        (19800, Move(18 * HOUR, DAY, 1), Move(18 * HOUR, 18 * HOUR + 1800, -1)),
        (20700, Move(18 * HOUR, DAY, 1), Move(18 * HOUR, 18 * HOUR + 900, -1)),
    ],
    ids=["UTC", "Berlin", "California", "Tonga", "India", "Nepal"],
)
def test_move(offset: int, hours: Move | None, calls: Move | None) -> None:
    """What is moved of days' totals by the hour, and of the hours' by calls."""
    assert move(DAY, HOUR, offset) == hours
    assert move(HOUR, 0, offset) == calls
