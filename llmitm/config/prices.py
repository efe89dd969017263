"""`policies/prices.yaml`: USD per million tokens, in front of the price library's."""

from __future__ import annotations

from llmitm.config.model import Model
from llmitm.config.values import Glob, Money


class Price(Model):
    """What a provider's model costs; a rate that is None is charged as plain input or output."""

    provider: str
    model: Glob
    input_per_million: Money
    output_per_million: Money
    cached_input_per_million: Money | None = None
    cache_write_per_million: Money | None = None
    cache_write_1h_per_million: Money | None = None
    reasoning_per_million: Money | None = None
    input_audio_per_million: Money | None = None
    output_audio_per_million: Money | None = None


class PricesFile(Model):
    prices: tuple[Price, ...] = ()
