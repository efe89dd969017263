"""Hours, days, weeks and months of a time zone's calendar, as instants.

The windows of one period tile time: each ends where the next starts, also where the clock is set
forward or back, so a day may have 23 or 25 hours.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

# Every offset from UTC in use since 1972 is a multiple of it.
_QUARTER = 900


class Period(StrEnum):
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"  # from Monday, as ISO 8601 has it
    MONTH = "month"

    @property
    def seconds(self) -> int:
        """The length of a rolling one; a month is 30 days."""
        return _SECONDS[self]


_SECONDS = {
    Period.HOUR: 3_600,
    Period.DAY: 86_400,
    Period.WEEK: 7 * 86_400,
    Period.MONTH: 30 * 86_400,
}


def window(now: float, period: Period, zone: str = "UTC") -> tuple[int, int]:
    """The window that `now` is in: its first instant and the next one's, seconds since 1970.

    Raises zoneinfo.ZoneInfoNotFoundError.
    """
    # Remembered by the quarter of an hour, in which no window can end.
    return _window(int(now // _QUARTER) * _QUARTER, period, zone)


@lru_cache(maxsize=1024)
def _window(quarter: int, period: Period, zone: str) -> tuple[int, int]:
    tz = ZoneInfo(zone)
    if period is Period.HOUR:
        return _hour(quarter, tz)
    local = datetime.fromtimestamp(quarter, tz)
    start = local.replace(hour=0, minute=0, second=0, fold=0)
    if period is Period.WEEK:
        start -= timedelta(days=start.weekday())
    elif period is Period.MONTH:
        start = start.replace(day=1)
    return int(start.timestamp()), int(_next(start, period).timestamp())


def _next(start: datetime, period: Period) -> datetime:
    # Arithmetic on aware datetimes is on the wall clock: midnight to midnight.
    if period is Period.DAY:
        return start + timedelta(days=1)
    if period is Period.WEEK:
        return start + timedelta(weeks=1)
    return (start + timedelta(days=32)).replace(day=1)


def _hour(quarter: int, tz: ZoneInfo) -> tuple[int, int]:
    """From one full hour on the clock to the next, in quarters for zones with odd offsets."""
    start = quarter
    while datetime.fromtimestamp(start, tz).minute:
        start -= _QUARTER
    end = quarter + _QUARTER
    while datetime.fromtimestamp(end, tz).minute:
        end += _QUARTER
    return start, end
