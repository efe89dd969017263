"""Prices that the operator states in policies/prices.yaml."""

from __future__ import annotations

from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

from llmitm.policy.cost import ZERO, Rates, UnitPrice

SOURCE = "policies/prices.yaml"

_RATES = (
    "cached_input",
    "cache_write",
    "cache_write_1h",
    "reasoning",
    "input_audio",
    "output_audio",
)


class Override:
    """One entry: which provider and models it is for, and their price.

    `entry` has the attributes provider, model (a glob) and `*_per_million`, in USD.
    """

    __slots__ = ("_model", "_provider", "price")

    def __init__(self, entry: Any) -> None:
        self._provider: str = entry.provider
        self._model: str = entry.model
        rates = {name: _usd(entry, name) for name in _RATES}
        usd_in, usd_out = _usd(entry, "input"), _usd(entry, "output")
        base = Rates.per_million(usd_in or ZERO, usd_out or ZERO, **rates)
        self.price = UnitPrice(base, source=SOURCE)

    def matches(self, provider: str, model: str) -> bool:
        """Whether this entry prices `model` of `provider`."""
        return fnmatchcase(provider, self._provider) and fnmatchcase(model, self._model)


def _usd(entry: Any, name: str) -> Decimal | None:
    value = getattr(entry, f"{name}_per_million", None)
    # By way of text: the float 0.1 is not a tenth.
    return None if value is None else Decimal(str(value))
