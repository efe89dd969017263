"""Dollars in and out of the database, exactly."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.stores.money import from_pico, to_pico

costs = st.decimals(min_value=0, max_value=1_000_000, places=12)


@given(costs)
def test_comes_back(usd: Decimal) -> None:
    """Up to twelve decimals nothing is lost."""
    pico = to_pico(usd)
    assert pico is not None
    assert from_pico(pico) == usd


@given(st.integers(min_value=0, max_value=10**12), st.integers(0, 100_000_000))
def test_prices_are_exact(micro_per_million: int, tokens: int) -> None:
    """A price per million tokens with six decimals is exact for any number of tokens."""
    cost = Decimal(micro_per_million).scaleb(-12) * tokens
    if cost <= 1_000_000:
        assert to_pico(cost) == micro_per_million * tokens


@pytest.mark.parametrize(
    ("usd", "pico"),
    [
        (None, None),
        ("0", 0),
        ("0.00000001875", 18_750),
        ("0.0000000000005", 0),
        ("0.0000000000015", 2),
        ("1e9", 10**18),
    ],
)
def test_to_pico(usd: str | None, pico: int | None) -> None:
    """Beyond twelve decimals it rounds half to even; one call is held to cost at most a million."""
    assert to_pico(None if usd is None else Decimal(usd)) == pico


@pytest.mark.parametrize(
    ("pico", "text"),
    [(0, "0"), (30_000_000_000, "0.03"), (10**13, "10"), (1_000_000, "0.000001")],
)
def test_from_pico(pico: int, text: str) -> None:
    """Reads like money: no trailing zeros, no exponent."""
    assert f"{from_pico(pico)}" == text
