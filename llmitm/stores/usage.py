"""What was used and what it cost, from totals kept per hour and per day."""

# ruff: noqa: S608 -- only names of our own tables and columns are put together; values are bound

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from llmitm.stores.database import Row, Statement
from llmitm.stores.filters import Dimension, Filters, column
from llmitm.stores.money import from_pico
from llmitm.stores.periods import BEGINNING, DAY, END, HOUR, Period, split
from llmitm.stores.row import QUARTER

By = Dimension | Literal["day"]

_SUMS = (
    "calls",
    "errors",
    "prompt_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "estimated",
    "unpriced",
    "cost_pico",
)
_TOTALS = ", ".join(f"sum({name}) AS {name}" for name in _SUMS)
_FROM_CALLS = (
    "count(*) AS calls, count(*) FILTER (WHERE error IS NOT NULL OR status >= 400) AS errors,"
    " sum(prompt_tokens) AS prompt_tokens, sum(cached_tokens) AS cached_tokens,"
    " sum(cache_write_tokens) AS cache_write_tokens,"
    " sum(completion_tokens) AS completion_tokens, sum(reasoning_tokens) AS reasoning_tokens,"
    " count(*) FILTER (WHERE estimated) AS estimated,"
    " count(*) FILTER (WHERE cost_pico IS NULL) AS unpriced,"
    " coalesce(sum(cost_pico), 0) AS cost_pico"
)


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of one group of calls.

    `group` is the value of what was asked for, None for calls that have none; a day is
    `YYYY-MM-DD`. `errors` are calls that ended with an error or a status from 400 on,
    `estimated` those whose tokens the gateway counted, `unpriced` those without a known price,
    which `cost_usd` leaves out.
    """

    group: str | None
    calls: int
    errors: int
    prompt_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    estimated: int
    unpriced: int
    cost_usd: Decimal


def usage_query(filters: Filters, by: By | None, utc_offset: int = 0) -> Statement:
    """The SELECT whose rows `usage_rows` reads. `utc_offset`, in seconds, says when days begin.

    Totals exist per hour of UTC. Days that begin off the hour are summed from single calls.
    Raises ValueError for an offset that is not a whole number of quarter hours.
    """
    if utc_offset % QUARTER:
        raise ValueError(f"utc_offset must be whole quarter hours, not {utc_offset} s")
    since = BEGINNING if filters.since is None else filters.since
    until = END if filters.until is None else filters.until
    spans = [s for s in (DAY, HOUR) if by != "day" or utc_offset % s == 0]
    parts = [_part(period, filters, by, utc_offset) for period in split(since, until, spans)]
    if not parts:
        parts = [_part(Period(0, since, since), filters, by, utc_offset)]
    union = " UNION ALL ".join(sql for sql, _ in parts)
    sql = f"SELECT label, {_TOTALS} FROM ({union}) AS parts GROUP BY label"
    return Statement(sql, tuple(value for _, params in parts for value in params))


def usage_rows(rows: Sequence[Row], by: By | None) -> list[UsageRow]:
    """The groups: days in order, anything else by falling cost, then calls, then name."""
    found = [_row(label, values, by) for label, *values in rows if values[0]]
    if by == "day":
        return sorted(found, key=lambda row: row.group or "")
    return sorted(found, key=lambda row: (-row.cost_usd, -row.calls, row.group or ""))


def _part(period: Period, filters: Filters, by: By | None, utc_offset: int) -> Statement:
    where, params = filters.exact()
    if period.span:
        label = _label(by, "start", utc_offset)
        times = f"span = {period.span} AND start >= ? AND start < ?"
        bounds: tuple[Any, ...] = (int(period.start), int(period.end))
        source, sums = "usage_totals", _TOTALS
    else:
        label = _label(by, "quarter", utc_offset)
        times = "ts >= ? AND ts < ?"
        bounds = (float(period.start), float(period.end))
        source, sums = "calls", _FROM_CALLS
    # Grouping by position: PostgreSQL takes two equal parameters for different expressions.
    sql = f"SELECT {label} AS label, {sums} FROM {source} WHERE {times}{where} GROUP BY 1"
    return Statement(sql, bounds + params)


def _label(by: By | None, time: str, utc_offset: int) -> str:
    if by is None:
        return "''"
    if by == "day":
        return f"({time} + {utc_offset}) / {DAY}"
    return f"coalesce({column(by)}, '')"


def _row(label: Any, values: Sequence[Any], by: By | None) -> UsageRow:
    *counts, cost = values
    group = _day(label) if by == "day" else label or None
    sums = dict(zip(_SUMS[:-1], map(int, counts), strict=True))
    return UsageRow(group=group, cost_usd=from_pico(cost), **sums)


def _day(number: int) -> str:
    return datetime.fromtimestamp(number * DAY, UTC).date().isoformat()
