"""Types of single values: durations, sizes, money, globs, names, dates, time zones."""

from __future__ import annotations

import re
import zoneinfo
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from llmitm.config.glob import check_glob
from llmitm.config.problems import Fault, suggestion


class Text(str):
    """A string whose `${…}` references are expanded. `raw` is as written, and safe to print."""

    __slots__ = ("raw",)
    raw: str

    @classmethod
    def of(cls, value: str, raw: str) -> Text:
        text = cls(value)
        text.raw = raw
        return text


class Number(float):
    """A float that remembers how it was written, so that money never goes through binary."""

    __slots__ = ("text",)
    text: str

    @classmethod
    def of(cls, text: str) -> Number:
        number = cls(text)
        number.text = text
        return number


def shown(value: object) -> str:
    """A value as an error may print it: a reference rather than what it stands for."""
    if isinstance(value, Text):
        return repr(value.raw)
    if isinstance(value, Number):
        return value.text
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return repr(value)


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h|d)")
_PLAIN = re.compile(r"\d+(?:\.\d*)?|\.\d+")


def seconds(value: Any) -> float:
    """Seconds of `1.5`, `"500ms"`, `"30s"` or `"1m30s"` (Go's notation, and `d` for days)."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return float(value)
    text = value.strip() if isinstance(value, str) else ""
    if _PLAIN.fullmatch(text):
        return float(text)
    parts = _PART.findall(text)
    if not parts or "".join(n + u for n, u in parts) != text:
        raise Fault(f"must be a duration, not {shown(value)}", "write seconds, 500ms, 30s or 5m")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


_POWERS = {"": 1, "b": 1} | {
    f"{prefix}{suffix}": base**power
    for power, prefix in enumerate("kmgt", start=1)
    for suffix, base in (("ib", 1024), ("b", 1000), ("", 1000))
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)")


def size(value: Any) -> int:
    """Bytes of `65536`, `"64KiB"` or `"1MB"`."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.fullmatch(value.strip().lower()) if isinstance(value, str) else None
    if match is None or match[2] not in _POWERS:
        raise Fault(f"must be a size, not {shown(value)}", "write bytes, 64KiB or 32MiB")
    return int(Decimal(match[1]) * _POWERS[match[2]])


def decimal(value: Any) -> Decimal:
    """The number exactly as it was written."""
    text = value.text if isinstance(value, Number) else value
    try:
        number = Decimal(text if isinstance(text, Decimal | str) else str(text))
    except InvalidOperation:
        raise Fault(f"must be a number, not {shown(value)}") from None
    if isinstance(value, bool) or not number.is_finite():
        raise Fault(f"must be a number, not {shown(value)}")
    return number


def scalar_number(value: Any) -> int | float:
    """A number that stays an int where it was written as one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Fault(f"must be a number, not {shown(value)}")
    return value if isinstance(value, int) else float(value)


def expiry(value: Any) -> datetime:
    """An aware datetime; a bare date is the start of that day in UTC."""
    if isinstance(value, str):
        value = _parse_date(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time.min, UTC)
    if not isinstance(value, datetime):
        raise Fault(f"must be a date, not {shown(value)}", "write 2027-01-31")
    if value.tzinfo is None:
        raise Fault(
            "has a time but no time zone", f"write {value.isoformat()}Z or with an offset, +01:00"
        )
    return value


def _parse_date(text: str) -> date:
    try:
        bare = len(text) <= len("2027-01-31")
        return date.fromisoformat(text) if bare else datetime.fromisoformat(text)
    except ValueError:
        raise Fault(
            f"{shown(text)} is no date of the calendar", "write 2027-01-31 or 2027-01-31T12:00:00Z"
        ) from None


def check_timezone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = sorted(zoneinfo.available_timezones())
        near = suggestion(name, known, "zones")
        remedy = near if near.startswith("did") else "write a name such as UTC or Europe/Berlin"
        raise Fault(f"unknown time zone {name!r}", remedy) from None
    return name


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]*")


def check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise Fault(
            f"{name!r} cannot be a name", "use letters, digits and . _ @ + - after the first"
        )
    return name


Duration = Annotated[float, BeforeValidator(seconds)]
PositiveDuration = Annotated[float, BeforeValidator(seconds), Field(gt=0)]
Size = Annotated[int, BeforeValidator(size)]
Money = Annotated[Decimal, BeforeValidator(decimal), Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
ParamNumber = Annotated[int | float, BeforeValidator(scalar_number)]
Expiry = Annotated[datetime, BeforeValidator(expiry)]
Timezone = Annotated[str, AfterValidator(check_timezone)]
Name = Annotated[str, AfterValidator(check_name)]
Glob = Annotated[str, AfterValidator(check_glob)]
