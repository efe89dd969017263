"""Unit prices: the operator's policies/prices.yaml first, then genai-prices' list, offline."""

from llmitm.prices.book import PriceBook
from llmitm.prices.variants import possible_variants, variant_of

__all__ = ["PriceBook", "possible_variants", "variant_of"]
