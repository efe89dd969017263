"""What was used and what it cost, from totals kept per hour and per day."""

# ruff: noqa: S608 -- only names of our own tables and columns are put together; values are bound

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from llmitm.stores.database import Row, Statement
from llmitm.stores.days import Move, day_of, move
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
    " count(*) FILTER (WHERE cost_pico IS NULL"
    " AND (status < 400 OR prompt_tokens + completion_tokens > 0)) AS unpriced,"
    " coalesce(sum(cost_pico), 0) AS cost_pico"
)


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of one group of calls.

    `group` is the value of what was asked for, None for calls that have none; a day is
    `YYYY-MM-DD`. `errors` are calls that ended with an error or a status from 400 on,
    `estimated` those whose tokens the gateway counted, `unpriced` those that used something
    without a known price, which `cost_usd` leaves out.
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

    Raises ValueError for an offset that is not a whole number of quarter hours, or a day.
    """
    if utc_offset % QUARTER or abs(utc_offset) >= DAY:
        raise ValueError(f"utc_offset must be whole quarter hours of a day, not {utc_offset} s")
    since = BEGINNING if filters.since is None else filters.since
    until = END if filters.until is None else filters.until
    periods = list(split(since, until)) or [Period(0, since, since)]
    parts = [_part(period, filters, by, utc_offset) for period in periods]
    if by == "day":
        parts += _moves(periods, filters, utc_offset)
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
        moment, source, sums = "start", "usage_totals", _TOTALS
        times = f"span = {period.span} AND start >= ? AND start < ?"
        bounds: tuple[Any, ...] = (int(period.start), int(period.end))
    else:
        moment, source, sums = "quarter", "calls", _FROM_CALLS
        times = "ts >= ? AND ts < ?"
        bounds = (float(period.start), float(period.end))
    label = "''" if by is None else _label(by, moment, period.span, utc_offset)
    # Days are put together later: totals are stored in the order of `start`, so that grouping
    # by it needs no sorting. Anything else by position: PostgreSQL takes two equal parameters
    # for different expressions.
    group = moment if by == "day" else "1"
    sql = f"SELECT {label} AS label, {sums} FROM {source} WHERE {times}{where} GROUP BY {group}"
    return Statement(sql, bounds + params)


def _moves(periods: Sequence[Period], filters: Filters, utc_offset: int) -> Iterator[Statement]:
    """What has to be counted for another day than that of the totals it is in."""
    where, params = filters.exact()
    for period in periods:
        hours = move(DAY, HOUR, utc_offset) if period.span == DAY else None
        if hours is not None:
            times = f"start % {DAY} >= {hours.begin} AND start % {DAY} < {hours.end}"
            sql = (
                f"SELECT {day_of('start', HOUR, utc_offset)} AS label, {_TOTALS} FROM usage_totals"
                f" WHERE span = {HOUR} AND start >= ? AND start < ? AND {times}{where}"
                " GROUP BY start"
            )
            bounds = (int(period.start), int(period.end))
            yield Statement(_moved(sql, hours), bounds + params)
        calls = move(HOUR, 0, utc_offset) if period.span else None
        if calls is not None:
            days = f"SELECT DISTINCT start FROM usage_totals WHERE span = {DAY}"
            # Apart from the filters: PostgreSQL takes them for rare, and then reads all calls.
            sql = (
                f"WITH days AS ({days} AND start >= ? AND start < ?), cut AS MATERIALIZED"
                " (SELECT calls.* FROM days JOIN calls"
                f" ON ts >= start + {calls.begin} AND ts < start + {calls.end})"
                f" SELECT {day_of('quarter', 0, utc_offset)} AS label, {_FROM_CALLS}"
                f" FROM cut WHERE true{where} GROUP BY 1"
            )
            bounds = (int(period.start) - calls.begin, int(period.end) - calls.begin)
            yield Statement(_moved(sql, calls), bounds + params)


def _moved(sql: str, what: Move) -> str:
    """The groups of a SELECT: added to their days, and taken from those they were counted for."""
    sums = ", ".join(f"sign * {name} AS {name}" for name in _SUMS)
    both = f"SELECT 0 AS step, 1 AS sign UNION ALL SELECT {-what.days}, -1"
    return f"SELECT label + step AS label, {sums} FROM ({sql}) AS moved, ({both}) AS both_days"


def _label(by: By, moment: str, span: int, utc_offset: int) -> str:
    if by == "day":
        return day_of(moment, span, utc_offset)
    return f"coalesce({column(by)}, '')"


def _row(label: Any, values: Sequence[Any], by: By | None) -> UsageRow:
    *counts, cost = values
    group = _day(label) if by == "day" else label or None
    sums = dict(zip(_SUMS[:-1], map(int, counts), strict=True))
    return UsageRow(group=group, cost_usd=from_pico(cost), **sums)


def _day(number: int) -> str:
    return datetime.fromtimestamp(number * DAY, UTC).date().isoformat()
