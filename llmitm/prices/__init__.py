"""Unit prices: the operator's policies/prices.yaml first, then genai-prices' list, offline."""

from llmitm.prices.book import PriceBook

__all__ = ["PriceBook"]
