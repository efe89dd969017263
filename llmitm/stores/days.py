"""Days of any offset from UTC, out of totals for hours and days of UTC.

Each total counts for the day that its middle is in. Where a day begins in the middle of one, that
is wrong for a part of it: the part is looked up in finer totals, or calls, and moved to the day
before or after. So most of what is read are totals of days, for any offset.
"""

from __future__ import annotations

from typing import NamedTuple

from llmitm.stores.periods import DAY


class Move(NamedTuple):
    """From `begin` up to `end`, in seconds of a day of UTC: belongs `days` (1 or -1) later."""

    begin: int
    end: int
    days: int


def day_of(moment: str, span: int, utc_offset: int) -> str:
    """SQL: the number of the day that a total counts for that begins at `moment`."""
    return f"({moment} + {utc_offset + span // 2}) / {DAY}"


def move(coarse: int, fine: int, utc_offset: int) -> Move | None:
    """What totals of the length `coarse` count for the wrong day, as far as `fine` can tell."""
    taken, wanted = _midnight(coarse, utc_offset), _midnight(fine, utc_offset)
    if taken == wanted:
        return None
    return Move(min(taken, wanted), max(taken, wanted), 1 if wanted < taken else -1)


def _midnight(span: int, utc_offset: int) -> int:
    """When a day begins for totals of this length, in seconds of a day of UTC."""
    midnight = -utc_offset % DAY
    return (midnight + span // 2 - 1) // span * span if span else midnight
