"""Filters as SQL."""

from __future__ import annotations

import pytest

from llmitm.stores.filters import DIMENSIONS, Dimension, Filters, column


def test_nothing() -> None:
    """No filter, no condition; the time is not among them."""
    assert Filters(since=1.0, until=2.0).exact() == ("", ())


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_each(dimension: Dimension) -> None:
    """Every dimension can be filtered by, the empty text too, and its value is a parameter."""
    name = column(dimension)
    assert Filters(**{dimension: "x'"}).exact() == (f" AND {name} = ?", ("x'",))  # type: ignore[arg-type]
    assert Filters(**{dimension: ""}).exact() == (f" AND {name} = ?", ("",))  # type: ignore[arg-type]


def test_all() -> None:
    """Filters add up."""
    sql, params = Filters(key="k", user="u", model="m").exact()
    assert sql == " AND key_id = ? AND user_id = ? AND model = ?"
    assert params == ("k", "u", "m")
