"""Prices that genai-prices carries, collected from the providers' own price pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from genai_prices import data_snapshot
from genai_prices.types import ModelInfo, Provider, TieredPrices

from llmitm.policy.cost import ZERO, Rates, Tier, UnitPrice, free

# Whose list an API kind means where neither the provider's name nor its URL says it.
API_PROVIDERS = {"openai": "openai", "anthropic": "anthropic", "gemini": "google"}

_Value = Decimal | TieredPrices


def load() -> None:
    """Import the list (0.2 s, once), so that no call has to wait for it."""
    data_snapshot.get_snapshot()


def find(
    provider: str, model: str, api: str | None, url: str | None
) -> tuple[str, ModelInfo] | None:
    """The list's provider and entry for `model`: by our provider's name, its URL, its API kind.

    None where none of them lists it. Takes up to a millisecond.
    """
    name = model.removeprefix("models/")
    listed = data_snapshot.get_snapshot().providers
    for candidate in _candidates(listed, provider, api, url):
        entry = candidate.find_model(name, all_providers=listed)
        if entry is not None:
            return candidate.id, entry
    return None


def unit_price(
    owner: str, model: ModelInfo, at: datetime, variant: Mapping[str, str]
) -> UnitPrice | None:
    """The price in force `at` a time, which may depend on the date and on the hour.

    `variant` is what a request chose, such as ``{"service_tier": "priority"}``. None where the
    model isn't sold by the token (by the hour, character or page).
    """
    prices = model.get_prices(at, variant)
    values: dict[str, _Value] = {
        key: value for key, value in vars(prices).items() if isinstance(value, _Value)
    }
    source = f"genai-prices: {owner}/{model.id}"
    if not values:
        return free(source)  # listed without a rate: free of charge
    if "input_mtok" not in values and "output_mtok" not in values:
        return None
    return UnitPrice(
        base=_rates(values, 0),
        tiers=tuple(Tier(above, _rates(values, above + 1)) for above in _tiers(values)),
        per_request=_at(values.get("requests_kcount", ZERO), 0) / 1000,
        source=source,
    )


def _candidates(
    listed: list[Provider], provider: str, api: str | None, url: str | None
) -> Iterator[Provider]:
    named = data_snapshot.find_provider_by_id(listed, provider)
    if named is not None:
        yield named
    if url is not None:
        full = url if "://" in url else f"https://{url}"
        yield from (known for known in listed if re.match(known.api_pattern, full))
    kind = API_PROVIDERS.get(api or "")
    yield from (known for known in listed if known.id == kind)


def _tiers(values: Mapping[str, _Value]) -> list[int]:
    tiered = [value.tiers for value in values.values() if isinstance(value, TieredPrices)]
    return sorted({tier.start for tiers in tiered for tier in tiers})


def _rates(values: Mapping[str, _Value], prompt_tokens: int) -> Rates:
    now = {key: _at(value, prompt_tokens) for key, value in values.items()}
    return Rates.per_million(
        now.get("input_mtok", ZERO),
        now.get("output_mtok", ZERO),
        cached_input=now.get("cache_read_mtok"),
        cache_write=now.get("cache_write_5m_mtok", now.get("cache_write_mtok")),
        cache_write_1h=now.get("cache_write_1h_mtok", now.get("cache_write_mtok")),
        input_audio=now.get("input_audio_mtok"),
        cached_audio=now.get("cache_audio_read_mtok"),
        reasoning=now.get("output_reasoning_mtok"),
        output_audio=now.get("output_audio_mtok"),
    )


def _at(value: _Value, prompt_tokens: int) -> Decimal:
    if not isinstance(value, TieredPrices):
        return value
    reached = [tier.price for tier in value.tiers if prompt_tokens > tier.start]
    return reached[-1] if reached else value.base
