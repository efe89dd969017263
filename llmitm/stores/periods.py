"""A stretch of time as whole days, whole hours and the rest, for totals kept per day and hour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

HOUR = 3600
DAY = 86400
BEGINNING = 0
END = 253402300800  # the year 10000, a midnight


class Period(NamedTuple):
    """From `start` up to, but not at, `end`, in seconds since the epoch.

    `span` is the length of the totals that cover it exactly; 0 where only single calls do.
    """

    span: int
    start: float
    end: float


def split(start: float, end: float, spans: Sequence[int] = (DAY, HOUR)) -> Iterator[Period]:
    """Cover a stretch with the longest spans that fit.

    `spans` go from long to short, and each one is a multiple of the next.
    """
    if start >= end:
        return
    if not spans:
        yield Period(0, start, end)
        return
    span, *shorter = spans
    first, last = -(-start // span) * span, end // span * span
    if first >= last:
        yield from split(start, end, shorter)
        return
    yield from split(start, first, shorter)
    yield Period(span, first, last)
    yield from split(last, end, shorter)
