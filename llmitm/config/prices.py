"""`policies/prices.yaml`: USD per million tokens, in front of the price library's."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from llmitm.config.glob import matches
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
    input_audio_per_million: Money | None = None
    output_audio_per_million: Money | None = None


class PricesFile(Model):
    prices: tuple[Price, ...] = ()


class PriceTable:
    """Finds the price of a provider's model: an exact name first, then patterns in order."""

    def __init__(self, prices: Iterable[Price]) -> None:
        self._prices = tuple(prices)
        self.find = lru_cache(maxsize=4096)(self._find)

    def _find(self, provider: str, model: str) -> Price | None:
        ours = [p for p in self._prices if p.provider in (provider, "*")]
        exact = (p for p in ours if p.model == model)
        globs = (p for p in ours if matches(p.model, model))
        return next(exact, None) or next(globs, None)
