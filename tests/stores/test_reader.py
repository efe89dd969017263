"""Reading calls and spend."""

from __future__ import annotations

from decimal import Decimal

import pytest

from llmitm.stores.filters import Filters
from llmitm.stores.ledger import Ledger
from llmitm.stores.periods import DAY
from llmitm.stores.reader import Reader
from tests.stores.records import NOON, SECONDS, make


async def test_pages(ledger: Ledger, reader: Reader) -> None:
    """Page by page, newest first, every call shows up once, those of one moment too."""
    calls = [make(ts=NOON + second) for second in (0, 1, 1, 1, 2, 3)]
    for call in calls:
        ledger.append(call)
    assert ledger.flush(SECONDS)
    ids: list[str] = []
    while page := await reader.calls(2, before=ids[-1] if ids else None):
        ids += [call.request_id for call in page]
    assert ids == [call.request_id for call in reversed(calls)]


@pytest.mark.parametrize(
    ("filters", "seconds"),
    [
        (Filters(since=NOON + 1), [2, 1]),
        (Filters(until=NOON + 1), [0]),
        (Filters(key="ops"), [1]),
        (Filters(key="dev", since=NOON + 1, until=NOON + 9), [2]),
        (Filters(model="none"), []),
    ],
)
async def test_filters(
    ledger: Ledger, reader: Reader, filters: Filters, seconds: list[int]
) -> None:
    """Only calls that match."""
    for second, key in enumerate(["dev", "ops", "dev"]):
        ledger.append(make(ts=NOON + second, key=key))
    assert ledger.flush(SECONDS)
    assert [call.ts - NOON for call in await reader.calls(filters=filters)] == seconds


async def test_unknown_place(reader: Reader) -> None:
    """A page after a call that isn't there is an error, not the first page."""
    with pytest.raises(LookupError, match="no call 'x'"):
        await reader.calls(before="x")
    assert await reader.call("x") is None


async def test_spend(ledger: Ledger, reader: Reader) -> None:
    """What a key, a user, a team or everybody spent since a moment, to the second."""
    spent = [("dev", "ava", "red", 1), ("dev", "bo", "red", 2), ("ops", "bo", "blue", 4)]
    for day, (key, user, team, usd) in enumerate(spent):
        ledger.append(
            make(ts=NOON + day * DAY, key=key, user=user, team=team, cost_usd=Decimal(usd))
        )
    ledger.append(make(cost_usd=None))
    assert ledger.flush(SECONDS)
    assert [
        await reader.spend("key", "dev", NOON),
        await reader.spend("key", "dev", NOON + 0.001),
        await reader.spend("user", "bo", 0),
        await reader.spend("team", "blue", NOON),
        await reader.spend("global", None, NOON),
        await reader.spend("key", "other", 0),
    ] == [Decimal(n) for n in (3, 2, 6, 4, 7, 0)]


@pytest.mark.parametrize(("scope", "owner"), [("key", None), ("global", "dev")])
async def test_spend_of_whom(reader: Reader, scope: str, owner: str | None) -> None:
    """Asking without saying of whom is an error: it would be everybody's."""
    with pytest.raises(ValueError, match="no spend"):
        await reader.spend(scope, owner, 0)  # type: ignore[arg-type]
