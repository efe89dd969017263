from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.config import values
from llmitm.config.problems import Fault
from llmitm.config.values import Number, Text


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (5, 5),
        (0.5, 0.5),
        ("30", 30),
        ("500ms", 0.5),
        ("30s", 30),
        ("1.5s", 1.5),
        ("5m", 300),
        ("1m30s", 90),
        ("2h", 7200),
        ("1d", 86400),
        ("250us", 0.00025),
        ("100ns", 1e-7),
        (" 3s ", 3),
    ],
)
def test_reads_durations(written: float | str, seconds: float) -> None:
    """Durations are numbers of seconds or Go's notation."""
    assert values.seconds(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "written", ["", "1 minute", "s", "5x", "-1s", -1, True, None, [], "1s 2", "∞"]
)
def test_refuses_other_durations(written: Any) -> None:
    """What is no duration is refused, negative ones too."""
    with pytest.raises(Fault, match="must be a duration"):
        values.seconds(written)


@given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 999))
def test_durations_add_up(hours: Any, minutes: Any, millis: Any) -> None:
    """The parts of a duration add up."""
    total = hours * 3600 + minutes * 60 + millis / 1000
    assert values.seconds(f"{hours}h{minutes}m{millis}ms") == pytest.approx(total)


@pytest.mark.parametrize(
    ("written", "size"),
    [
        (0, 0),
        (65536, 65536),
        ("65536", 65536),
        ("64KiB", 65536),
        ("64 kib", 65536),
        ("1MB", 10**6),
        ("32MiB", 32 << 20),
        ("1.5k", 1500),
        ("2GiB", 2 << 30),
        ("10B", 10),
    ],
)
def test_reads_sizes(written: int | str, size: Any) -> None:
    """Sizes are numbers of bytes or carry a unit, binary or decimal."""
    assert values.size(written) == size


@pytest.mark.parametrize("written", ["", "32 megs", "KiB", -1, 1.5, True, None, "1PiB"])
def test_refuses_other_sizes(written: bool | float | str | None) -> None:
    """What is no size is refused."""
    with pytest.raises(Fault, match="must be a size"):
        values.size(written)


@given(st.decimals(0, 10**9, allow_nan=False, allow_infinity=False, places=12))
def test_money_is_what_was_written(amount: Any) -> None:
    """A price never goes through binary floating point."""
    assert values.decimal(Number.of(str(amount))) == amount


@pytest.mark.parametrize("written", ["free", True, None, "NaN", "Infinity", []])
def test_refuses_other_money(written: Any) -> None:
    """Money is a finite number."""
    with pytest.raises(Fault, match="must be a number"):
        values.decimal(written)


def test_money_takes_whole_numbers_and_decimals() -> None:
    """Ints, decimals and their text are money too."""
    assert [values.decimal(v) for v in (3, Decimal("0.1"), "0.25")] == [
        Decimal(3),
        Decimal("0.1"),
        Decimal("0.25"),
    ]


def test_numbers_of_parameters_keep_their_kind() -> None:
    """A whole number stays one, because providers refuse `max_tokens: 512.0`."""
    assert [repr(values.scalar_number(v)) for v in (512, Number.of("0.5"))] == ["512", "0.5"]
    with pytest.raises(Fault):
        values.scalar_number(True)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T12:00:00Z", datetime(2027, 1, 31, 12, tzinfo=UTC)),
        ("2027-01-31 12:00:00+02:00", datetime(2027, 1, 31, 10, tzinfo=UTC)),
        (date(2027, 1, 31), datetime(2027, 1, 31, tzinfo=UTC)),
        (
            datetime(2027, 1, 31, tzinfo=timezone(timedelta(hours=1))),
            datetime(2027, 1, 30, 23, tzinfo=UTC),
        ),
    ],
)
def test_reads_expiry(written: Any, moment: Any) -> None:
    """A date means its first moment in UTC; a time carries its zone."""
    assert values.expiry(written) == moment


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("2027-02-30", "no date of the calendar"),
        ("soon", "no date of the calendar"),
        ("2027-01-31T25:00:00Z", "no date of the calendar"),
        ("2027-01-31T12:00:00", "no time zone"),
        (20270131, "must be a date"),
    ],
)
def test_refuses_other_expiry(written: int | str, message: str) -> None:
    """What is no date, or lacks a time zone, is refused."""
    with pytest.raises(Fault, match=message):
        values.expiry(written)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"])
def test_knows_time_zones(zone: str) -> None:
    """Time zones have the names of the tz database."""
    assert values.check_timezone(zone) == zone


@pytest.mark.parametrize(
    "zone", ["Europe/Berln", "", "../../etc/passwd", "/etc/localtime", "CEST+1"]
)
def test_refuses_other_time_zones(zone: str) -> None:
    """Unknown zones and paths are refused."""
    with pytest.raises(Fault, match="unknown time zone"):
        values.check_timezone(zone)


@pytest.mark.parametrize("name", ["", "a/b", "a b", "-a", "*", "ä"])
def test_refuses_names_that_break_others(name: str) -> None:
    """A name is part of target names, labels and URLs, so it has no slash or blank."""
    with pytest.raises(Fault, match="cannot be a name"):
        values.check_name(name)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "'x'"),
        (Text.of("secret", "${NAME}"), "'${NAME}'"),
        (Number.of("1e3"), "1e3"),
        (Decimal("0.10"), "0.10"),
        (True, "true"),
        (None, "null"),
        (3, "3"),
    ],
)
def test_shows_values_as_written(value: Any, text: str) -> None:
    """Errors show a value as YAML has it, and a reference instead of what it stands for."""
    assert values.shown(value) == text
