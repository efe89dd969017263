import random
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.policy.backoff import delay, retry_after

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC).timestamp()


@given(st.integers(1, 10_000), st.floats(0.001, 10), st.floats(0.001, 100), st.integers())
def test_delay_is_within_the_step(attempt: int, base: float, maximum: float, seed: int) -> None:
    """Waits at most the exponential step, and never longer than the maximum."""
    waited = delay(attempt, base, maximum, random.Random(seed))
    assert 0 <= waited <= min(maximum, base * 2.0 ** min(attempt - 1, 100))


@pytest.mark.parametrize(("attempt", "step"), [(1, 0.5), (2, 1.0), (3, 2.0), (5, 8.0), (9, 8.0)])
def test_delay_covers_the_whole_step(attempt: int, step: float) -> None:
    """Full jitter: uniform over the step, not a part of it."""
    rng = random.Random(1)
    delays = [delay(attempt, 0.5, 8.0, rng) for _ in range(2000)]
    assert min(delays) < 0.01 * step
    assert max(delays) > 0.99 * step
    assert sum(delays) / len(delays) == pytest.approx(step / 2, rel=0.05)


@pytest.mark.parametrize(("growth", "step"), [(1.0, 0.5), (1.5, 1.125), (3.0, 4.5), (100.0, 8.0)])
def test_steps_grow_as_they_are_told_to(growth: float, step: float) -> None:
    """The third retry's step is the first one's, grown twice, within the maximum."""
    rng = random.Random(1)
    delays = [delay(3, 0.5, 8.0, rng, growth) for _ in range(2000)]
    assert 0.99 * step < max(delays) <= step
    assert delay(10_000, 0.5, 8.0, rng, 100.0) <= 8.0


HEADERS: list[tuple[dict[str, str], float | None]] = [
    ({"retry-after": "3"}, 3.0),
    ({"retry-after": " 3 "}, 3.0),
    ({"retry-after": "0"}, 0.0),
    ({"retry-after": "2.5"}, 2.5),
    ({"retry-after-ms": "1500"}, 1.5),
    ({"retry-after-ms": "20.5"}, 0.0205),
    ({"retry-after-ms": "200", "retry-after": "9"}, 0.2),
    ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
    ({"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT"}, 30.0),
    ({"retry-after": "Saturday, 21-Nov-26 12:00:30 GMT"}, 30.0),
    ({"retry-after": "Sat Nov 21 12:00:30 2026"}, 30.0),
    ({"retry-after": "Sat, 21 Nov 2026 11:59:30 GMT"}, None),
    ({"retry-after": "Sat, 21 Nov 2026 12:00:00 GMT"}, None),
    ({}, None),
    ({"retry-after": ""}, None),
    ({"retry-after": "-1"}, None),
    ({"retry-after": "+1"}, None),
    ({"retry-after": "nan"}, None),
    ({"retry-after": "inf"}, None),
    ({"retry-after": "1e3"}, None),
    ({"retry-after": "1_000"}, None),
    ({"retry-after": "٣"}, None),
    ({"retry-after": "9" * 400}, None),
    ({"retry-after": "3s"}, None),
    ({"retry-after": "Sat, 99 Nov 2026 12:00:30 GMT"}, None),
    ({"retry-after": "Sat, 21 Nov 99999 12:00:30 GMT"}, None),
]


@pytest.mark.parametrize(("headers", "expected"), HEADERS)
def test_retry_after(headers: dict[str, str], expected: float | None) -> None:
    """Reads seconds, milliseconds and the three HTTP date forms, and nothing else."""
    assert retry_after(headers, NOW) == pytest.approx(expected)


@given(st.text(), st.text())
def test_never_raises(seconds: str, milliseconds: str) -> None:
    """Has an answer for any header value: none, or a time from now on."""
    found = retry_after({"retry-after": seconds, "retry-after-ms": milliseconds}, NOW)
    assert found is None or 0 <= found < float("inf")


@given(
    st.from_regex(r"[A-Z][a-z]{2,8},? [0-9]{1,2}[ -][A-Z][a-z]{2}[ -][0-9]{1,5} "
                  r"[0-9]{2}:[0-9]{2}:[0-9]{2}( [A-Z]{1,4}| [+-][0-9]{1,6})?", fullmatch=True)
)  # fmt: skip
def test_dates_never_raise(text: str) -> None:
    """Has an answer for anything that looks like a date."""
    found = retry_after({"retry-after": text}, NOW)
    assert found is None or 0 < found < float("inf")


@given(st.datetimes(datetime(2026, 11, 22), datetime(2037, 1, 1), timezones=st.just(UTC)))
def test_date(date: datetime) -> None:
    """A date in the future is the time until then."""
    date = date.replace(microsecond=0)
    header = format_datetime(date, usegmt=True)
    assert retry_after({"retry-after": header}, NOW) == date.timestamp() - NOW
