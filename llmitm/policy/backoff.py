"""When to ask a target again: full-jitter exponential backoff, and what the target itself says."""

from __future__ import annotations

import math
import random
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Protocol

_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")


class Headers(Protocol):
    """A header mapping: case-insensitive, or with lower-case names."""

    def get(self, name: str, /) -> str | None: ...


def delay(
    attempt: int, base: float, maximum: float, rng: random.Random, growth: float = 2.0
) -> float:
    """Seconds to wait before retry number `attempt`, the first being 1; steps grow by `growth`.

    Uniform between 0 and the exponential step, so that callers that failed together do not
    come back together ("Exponential Backoff And Jitter", AWS Architecture Blog: full jitter).
    """
    return rng.uniform(0.0, min(maximum, base * growth ** min(attempt - 1, 100)))


def retry_after(headers: Headers, wall_now: float) -> float | None:
    """Seconds that a reply asks the client to wait, None where it does not say.

    `retry-after-ms`, else `retry-after` in seconds or as an HTTP date (RFC 9110 §10.2.3), which
    is read against `wall_now`, seconds since the epoch. Negative and broken values, and a date
    that has passed, say nothing.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    return seconds if seconds is not None else _until(value, wall_now)


def _number(value: str | None) -> float | None:
    match = _NUMBER.fullmatch(value.strip()) if value else None
    return float(match[0]) if match else None


def _until(value: str | None, wall_now: float) -> float | None:
    if not value or len(value) > 64:
        return None
    try:
        date = parsedate_to_datetime(value)
        # A date without a zone is one of HTTP's obsolete forms, which are in GMT too.
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - wall_now
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
    return seconds if seconds > 0 and math.isfinite(seconds) else None
