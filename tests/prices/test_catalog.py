"""Every model of the list, against the list's own arithmetic."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage as GenaiUsage
from genai_prices.data import providers
from genai_prices.types import ModelInfo, Provider

from llmitm.call import Usage
from llmitm.policy.cost import cost, worst_case
from llmitm.prices import catalog

TIMES = [datetime(2026, 11, 21, hour, tzinfo=UTC) for hour in (2, 20)]
USAGES = [
    Usage(1_000, 500),
    Usage(130_000, 3_000, 40_000, 0, 0, 1_000),
    Usage(201_000, 3_000, 100_000, 50_000, 20_000, 1_000),
    Usage(600_000, 10, 0, 0, 600_000),
    Usage(300_001, 5_000, 0, 0, 0, 0, 100_000, 4_000),
]


def reported(usage: Usage) -> GenaiUsage:
    """The same usage in the list's words."""
    return GenaiUsage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens + usage.cache_write_1h_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
        input_audio_tokens=usage.audio_prompt_tokens,
        output_audio_tokens=usage.audio_completion_tokens,
    )


def priced(listed: Provider, model: ModelInfo, usage: Usage, at: datetime) -> Decimal | None:
    price = catalog.unit_price(listed.id, model, at, {})
    if price is None:
        return None
    amount = cost(usage, price)
    assert amount <= worst_case(price, usage.prompt_tokens + 1, usage.completion_tokens)
    return amount


@pytest.mark.parametrize("listed", providers, ids=lambda listed: listed.id)
def test_every_model_costs_what_the_list_says(listed: Provider) -> None:
    """For each model sold by the token the cost is the list's, and within the worst case."""
    for model in listed.models:
        for number, usage in enumerate(USAGES):
            at = TIMES[number % 2]
            amount = priced(listed, model, usage, at)
            if amount is not None:
                expected = model.calc_price(reported(usage), listed, genai_request_timestamp=at)
                assert amount == expected.total_price, (model.id, usage)


def test_models_not_sold_by_the_token_have_no_price() -> None:
    """By the hour, page or character: unpriced rather than free."""
    sold = {
        (listed.id, model.id): catalog.unit_price(listed.id, model, TIMES[0], {})
        for listed in providers
        for model in listed.models
    }
    assert sold["openai", "whisper-1"] is None
    assert sold["mistral", "mistral-ocr-2505"] is None
    assert sum(price is None for price in sold.values()) < 60
