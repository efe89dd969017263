"""The price of a provider's model, looked up once a minute and remembered."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from llmitm.policy.cost import UnitPrice, free
from llmitm.prices import catalog
from llmitm.prices.overrides import Override

# What runs on the operator's own machine costs nothing unless policies/prices.yaml says so.
FREE_APIS = frozenset({"ollama", "simulator"})
MAX_REMEMBERED, MAX_NAME = 4096, 256  # model names come from clients

Variant = tuple[tuple[str, str], ...]
_Key = tuple[str, str, str | None, str | None, Variant]


class PriceBook:
    """Unit prices from the operator's overrides and genai-prices.

    `overrides` are entries of policies/prices.yaml, of which the first that matches wins;
    `providers` are the configured ones by name, each with `api` and `base_url`.
    """

    def __init__(
        self, overrides: Iterable[Any] = (), providers: Mapping[str, Any] | None = None
    ) -> None:
        self._overrides = tuple(Override(entry) for entry in overrides)
        self._providers = dict(providers or {})
        self._known: dict[_Key, tuple[int, UnitPrice | None]] = {}
        catalog.load()

    def unit_price(
        self,
        provider: str,
        model: str,
        api: str | None = None,
        host: str | None = None,
        *,
        variant: Variant = (),
        now: float | None = None,
    ) -> UnitPrice | None:
        """The price of `model` at `provider`; None where nobody states one.

        `api` and `host` (or a whole URL) default to the provider's configured ones. `variant` is
        what a request chose that changes the price, such as ``(("service_tier", "flex"),)``.
        `now` is seconds since the epoch: some prices change with the date or the hour.
        """
        minute = int(time.time() if now is None else now) // 60
        key = (provider, model, api, host, variant)
        known = self._known.get(key)
        if known is not None and known[0] == minute:
            return known[1]
        price = self._find(key, datetime.fromtimestamp(minute * 60, UTC))
        if len(model) <= MAX_NAME:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            self._known[key] = minute, price
        return price

    def _find(self, key: _Key, at: datetime) -> UnitPrice | None:
        provider, model, api, host, variant = key
        for override in self._overrides:
            if override.matches(provider, model):
                return override.price
        configured = self._providers.get(provider)
        if configured is not None:
            api, host = api or configured.api, host or configured.base_url
        if api in FREE_APIS:
            return free(f"{api}: free unless policies/prices.yaml says otherwise")
        found = catalog.find(provider, model, api, host)
        return found and catalog.unit_price(*found, at, dict(variant))
