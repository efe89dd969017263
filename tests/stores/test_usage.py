"""Usage reports add up, whichever way they are cut."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from llmitm.call import CallRecord
from llmitm.stores.filters import Filters
from llmitm.stores.ledger import Ledger
from llmitm.stores.periods import DAY, HOUR
from llmitm.stores.reader import Reader
from llmitm.stores.usage import By, UsageRow, usage_query
from tests.stores.records import NOON, SECONDS, make

INDIA = 19_800  # five and a half hours east
CALLS = 400
PRICE = Decimal("0.00001875")


def some_calls() -> list[CallRecord]:
    """Calls over three days, the same every time, with every kind of outcome among them."""
    dice = random.Random(4)
    return [
        make(
            ts=NOON + dice.random() * 3 * DAY,
            key=dice.choice(["dev", "ops", None]),
            user=dice.choice(["ava", "bo"]),
            team=dice.choice(["research", None]),
            model=dice.choice(["gpt-4o", "claude"]),
            route=dice.choice(["gpt-*", None]),
            target=dice.choice(["openai/gpt-4o", "local/llama3.2"]),
            status=(status := dice.choice([200, 200, 429, 503])),
            error="upstream_unavailable" if status == 503 else None,
            estimated=dice.random() < 0.2,
            prompt_tokens=dice.randrange(1000) * (used := dice.random() < 0.8),
            completion_tokens=dice.randrange(1000) * used,
            cost_usd=dice.choice([None, PRICE * dice.randrange(1000)]),
        )
        for _ in range(CALLS)
    ]


def summed(group: str | None, calls: list[CallRecord]) -> UsageRow:
    """The row of a group, the slow way."""
    return UsageRow(
        group=group,
        calls=len(calls),
        errors=sum(c.error is not None or c.status >= 400 for c in calls),
        prompt_tokens=sum(c.prompt_tokens for c in calls),
        cached_tokens=sum(c.cached_tokens for c in calls),
        cache_write_tokens=sum(c.cache_write_tokens for c in calls),
        completion_tokens=sum(c.completion_tokens for c in calls),
        reasoning_tokens=sum(c.reasoning_tokens for c in calls),
        estimated=sum(c.estimated for c in calls),
        unpriced=sum(c.cost_usd is None and used_something(c) for c in calls),
        cost_usd=sum((c.cost_usd or Decimal(0) for c in calls), Decimal(0)),
    )


def used_something(call: CallRecord) -> bool:
    return call.status < 400 or call.prompt_tokens + call.completion_tokens > 0


def expected(
    calls: list[CallRecord], filters: Filters, by: By | None, utc_offset: int
) -> dict[str | None, UsageRow]:
    def wanted(call: CallRecord) -> bool:
        since, until = filters.since or 0, filters.until or float("inf")
        names = ("key", "user", "team", "model", "route", "target")
        exact = all(getattr(filters, n) in (None, getattr(call, n)) for n in names)
        return exact and since <= call.ts < until

    def group(call: CallRecord) -> Any:
        if by == "day":
            moment = datetime.fromtimestamp(call.ts, UTC) + timedelta(seconds=utc_offset)
            return moment.date().isoformat()
        return by and getattr(call, by)

    groups: dict[str | None, list[CallRecord]] = defaultdict(list)
    for call in filter(wanted, calls):
        groups[group(call)].append(call)
    return {name: summed(name, members) for name, members in groups.items()}


CUTS: list[Filters] = [
    Filters(),
    Filters(since=NOON + 1000.5, until=NOON + 2 * DAY + 77.25),
    Filters(since=NOON + HOUR, until=NOON + 5 * HOUR),
    Filters(since=NOON + 60, until=NOON + 600),
    Filters(since=NOON + DAY),
    Filters(until=NOON + DAY + 1),
    Filters(since=NOON + 9 * DAY),
    Filters(since=NOON + 9, until=NOON),
    Filters(key="dev"),
    Filters(user="ava", team="research", model="gpt-4o", since=NOON + 1),
    Filters(route="gpt-*", target="local/llama3.2"),
    Filters(key="nobody's"),
]
WAYS: list[tuple[By | None, int]] = [
    (None, 0),
    ("key", 0),
    ("user", 0),
    ("team", 0),
    ("model", 0),
    ("target", 0),
    ("route", 0),
    ("day", 0),
    ("day", -5 * HOUR),
    ("day", INDIA),
    ("day", -INDIA),
    ("day", 12 * HOUR + 45 * 60),
    ("day", 14 * HOUR),
    ("day", -12 * HOUR),
]


async def test_adds_up(ledger: Ledger, reader: Reader) -> None:
    """For any filter and grouping the report is what adding up the calls one by one gives."""
    calls = some_calls()
    for call in calls:
        ledger.append(call)
    assert ledger.flush(SECONDS)
    for filters in CUTS:
        for by, utc_offset in WAYS:
            rows = await reader.usage(filters, by=by, utc_offset=utc_offset)
            assert len(rows) == len({row.group for row in rows})
            found = {row.group: row for row in rows}
            assert found == expected(calls, filters, by, utc_offset), (filters, by, utc_offset)


async def test_order(ledger: Ledger, reader: Reader) -> None:
    """Days come in order; anything else with the dearest first, then the busiest."""
    for key, day, cost in [("a", 2, "1"), ("b", 0, "3"), ("c", 1, "2"), ("d", 1, None)]:
        usd = None if cost is None else Decimal(cost)
        ledger.append(make(key=key, ts=NOON + day * DAY, cost_usd=usd))
    assert ledger.flush(SECONDS)
    by_key = [row.group for row in await reader.usage(by="key")]
    by_day = [row.group for row in await reader.usage(by="day")]
    assert by_key == ["b", "c", "a", "d"]
    assert by_day == ["2026-11-20", "2026-11-21", "2026-11-22"]


async def test_to_the_cent(ledger: Ledger, reader: Reader) -> None:
    """Ten thousand amounts that binary fractions can't hold add up exactly."""
    for _ in range(10_000):
        ledger.append(make(cost_usd=Decimal("0.1000000001")))
    assert ledger.flush(SECONDS)
    [row] = await reader.usage()
    assert row.cost_usd == Decimal("1000.000001")


@pytest.mark.parametrize("offset", [60, DAY, -DAY, 10**24 * HOUR])
def test_offset(offset: int) -> None:
    """Days begin on quarter hours of a day."""
    with pytest.raises(ValueError, match="quarter hours"):
        usage_query(Filters(), "day", offset)


@pytest.mark.parametrize("build", [lambda: usage_query(Filters(key="x' OR 1=1"), "key")])
def test_values_are_parameters(build: Callable[[], tuple[str, tuple[Any, ...]]]) -> None:
    """No value of a filter is part of the SQL."""
    sql, params = build()
    assert "OR 1=1" not in sql
    assert "x' OR 1=1" in params
