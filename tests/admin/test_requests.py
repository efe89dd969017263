"""What the admin API's handlers share."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from llmitm.admin.requests import filters_of, json_reply, refusals
from llmitm.identity import Unknown
from llmitm.stores.errors import Rejected, Unavailable
from llmitm.stores.filters import Filters
from llmitm.stores.identities import Exists

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "filters"),
    [
        ("", Filters()),
        ("key=dev&model=m&page=2", Filters(key="dev", model="m")),
        ("since=7d", Filters(since=NOW.timestamp() - 7 * 86_400)),
        ("since=2026-11-01", Filters(since=1_793_491_200.0)),
        ("until=2026-11-01T02:00:00%2B02:00", Filters(until=1_793_491_200.0)),
        ("since=1793491200.5", Filters(since=1_793_491_200.5)),
    ],
)
def test_filters(query: str, filters: Filters) -> None:
    """Dimensions as they are; times as ages, dates, times and seconds since the epoch."""
    assert filters_of(make_mocked_request("GET", f"/?{query}"), NOW) == filters


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        (Unknown("x"), web.HTTPNotFound),
        (Exists("x"), web.HTTPConflict),
        (Unavailable("x"), web.HTTPServiceUnavailable),
        (Rejected("x"), web.HTTPBadRequest),
        (ValueError("x"), web.HTTPBadRequest),
    ],
)
def test_refusals(fault: Exception, answer: type[web.HTTPException]) -> None:
    """Each fault has its status, and its own words."""
    with pytest.raises(answer) as caught, refusals():
        raise fault
    assert caught.value.text == "x"


def test_money_is_a_number() -> None:
    """Exactly, not by way of a float."""
    assert json_reply({"usd": Decimal("0.1")}).body == b'{"usd":0.1}'
