"""Calendar windows, in zones that set their clocks in every way."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmitm.policy.periods import Period, window

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",  # +05:30
    "Asia/Kathmandu",  # +05:45
    "Australia/Lord_Howe",  # half an hour of summer time
    "America/Havana",  # midnight is skipped and repeated
    "Africa/Cairo",  # midnight is skipped
    "Pacific/Apia",  # left out 30 December 2011
    "America/Santiago",
]


def instant(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


@pytest.mark.parametrize(
    ("zone", "now", "period", "start", "end"),
    [
        ("UTC", "2026-11-21T13:45", Period.HOUR, "2026-11-21T13:00", "2026-11-21T14:00"),
        ("UTC", "2026-11-21T13:45", Period.DAY, "2026-11-21T00:00", "2026-11-22T00:00"),
        ("UTC", "2026-11-21T13:45", Period.WEEK, "2026-11-16T00:00", "2026-11-23T00:00"),
        ("UTC", "2026-11-21T13:45", Period.MONTH, "2026-11-01T00:00", "2026-12-01T00:00"),
        ("UTC", "2026-12-31T23:59", Period.MONTH, "2026-12-01T00:00", "2027-01-01T00:00"),
        ("UTC", "2028-02-29T12:00", Period.MONTH, "2028-02-01T00:00", "2028-03-01T00:00"),
        ("UTC", "2027-01-01T00:00", Period.WEEK, "2026-12-28T00:00", "2027-01-04T00:00"),
        ("Asia/Kolkata", "2026-11-21T00:10", Period.HOUR, "2026-11-21T00:00", "2026-11-21T01:00"),
        ("Asia/Kolkata", "2026-11-21T00:10", Period.DAY, "2026-11-21T00:00", "2026-11-22T00:00"),
    ],
)
def test_window(zone: str, now: str, period: Period, start: str, end: str) -> None:
    """Hours from the full hour, days from midnight, weeks from Monday, months from the first."""
    expected = instant(start, zone), instant(end, zone)
    assert window(instant(now, zone), period, zone) == expected


@pytest.mark.parametrize(
    ("zone", "noon", "hours"),
    [
        ("Europe/Berlin", "2026-03-29T12:00", 23),
        ("Europe/Berlin", "2026-10-25T12:00", 25),
        ("Australia/Lord_Howe", "2026-10-04T12:00", 23.5),
        ("Australia/Lord_Howe", "2026-04-05T12:00", 24.5),
        ("Africa/Cairo", "2026-04-24T12:00", 23),
        ("America/Havana", "2026-11-01T12:00", 25),
        ("Pacific/Apia", "2011-12-29T12:00", 24),
    ],
)
def test_days_when_clocks_change(zone: str, noon: str, hours: float) -> None:
    """A day lasts from one midnight on the clock to the next."""
    start, end = window(instant(noon, zone), Period.DAY, zone)
    assert (end - start) / 3600 == hours


def test_the_hour_that_happens_twice() -> None:
    """When the clock goes back, both passes of the hour are windows of their own."""
    first = instant("2026-10-25T00:30")  # 02:30 summer time in Berlin
    one = window(first, Period.HOUR, "Europe/Berlin")
    two = window(first + 3600, Period.HOUR, "Europe/Berlin")
    assert one == (first - 1800, first + 1800)
    assert two == (first + 1800, first + 5400)


@given(
    now=st.integers(1_230_000_000, 2_200_000_000),
    period=st.sampled_from(Period),
    zone=st.sampled_from(ZONES),
)
@settings(max_examples=500, deadline=None)
def test_windows_tile_time(now: int, period: Period, zone: str) -> None:
    """Each window holds its instant, starts on its boundary, and ends where the next starts."""
    start, end = window(now, period, zone)
    assert start <= now < end
    assert window(start, period, zone) == window(end - 0.001, period, zone) == (start, end)
    assert window(end, period, zone)[0] == end
    assert window(start - 0.001, period, zone)[1] == start


@given(
    now=st.integers(1_230_000_000, 2_200_000_000),
    zone=st.sampled_from(ZONES),
)
@settings(max_examples=300, deadline=None)
def test_a_day_is_one_date(now: int, zone: str) -> None:
    """The first and last second of a day's window have the date of its middle."""
    start, end = window(now, Period.DAY, zone)
    tz = ZoneInfo(zone)
    dates = {datetime.fromtimestamp(at, tz).date() for at in (start, now, end - 1)}
    assert len(dates) == 1
    assert datetime.fromtimestamp(end, tz).date() not in dates


def test_unknown_zone() -> None:
    """A zone that doesn't exist is an error, not UTC."""
    with pytest.raises(ZoneInfoNotFoundError):
        window(0, Period.DAY, "Mars/Olympus")


def test_rolling_lengths() -> None:
    """A rolling month is thirty days."""
    assert [period.seconds // 3600 for period in Period] == [1, 24, 168, 720]
    assert datetime.fromtimestamp(Period.MONTH.seconds, UTC).day == 31
