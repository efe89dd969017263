"""Prices of policies/prices.yaml."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from llmitm.call import Usage
from llmitm.config.schema import Price
from llmitm.policy.cost import cost
from llmitm.prices.overrides import SOURCE, Override


def override(**fields: Any) -> Override:
    usual = {
        "provider": "openai",
        "model": "gpt-*",
        "input_per_million": 2,
        "output_per_million": 8,
    }
    return Override(Price.model_validate({**usual, **fields}))


@pytest.mark.parametrize(
    ("provider", "model", "found"),
    [
        ("openai", "gpt-4o", True),
        ("openai", "claude", False),
        ("azure", "gpt-4o", False),
        ("openai", "GPT-4o", False),
    ],
)
def test_matches(provider: str, model: str, found: bool) -> None:
    """An entry is for one provider and the models of its pattern, in their own case."""
    assert override().matches(provider, model) is found


@pytest.mark.parametrize(
    ("rates", "usage", "usd"),
    [
        ({}, Usage(1_000_000, 0), "2"),
        ({}, Usage(0, 1_000_000), "8"),
        ({}, Usage(1_000_000, 0, cached_tokens=1_000_000), "2"),
        ({"cached_input_per_million": 0.1}, Usage(10**6, 0, cached_tokens=10**6), "0.1"),
        ({"cached_input_per_million": 0}, Usage(10**6, 0, cached_tokens=10**6), "0"),
        ({"cache_write_per_million": 3}, Usage(10**6, 0, cache_write_tokens=10**6), "3"),
        ({"cache_write_1h_per_million": 4}, Usage(10**6, 0, cache_write_1h_tokens=10**6), "4"),
        ({"reasoning_per_million": 9}, Usage(0, 10**6, reasoning_tokens=10**6), "9"),
        ({"input_audio_per_million": 5}, Usage(10**6, 0, audio_prompt_tokens=10**6), "5"),
        ({"output_audio_per_million": 7}, Usage(0, 10**6, audio_completion_tokens=10**6), "7"),
        ({"input_per_million": 0, "output_per_million": 0}, Usage(10**6, 10**6), "0"),
    ],
)
def test_rates(rates: dict[str, Any], usage: Usage, usd: str) -> None:
    """Each rate prices its own tokens; one that isn't stated is the plain input's or output's."""
    assert cost(usage, override(**rates).price) == Decimal(usd)


def test_exact() -> None:
    """A tenth is a tenth."""
    price = override(input_per_million=0.1, output_per_million=0).price
    assert cost(Usage(3, 0), price) == Decimal("0.0000003")
    assert price.source == SOURCE
