"""Which models providers have, by their own lists."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from llmitm.config.providers import BASE_URLS
from llmitm.config.schema import Provider
from llmitm.credentials import ANTHROPIC_VERSION, credential_headers
from llmitm.engine.upstream import Upstream, UpstreamError

SECONDS = 3.0
KEPT_SECONDS = 60.0
MAX_BYTES = 4 << 20
_PATHS = {"openai": "/models", "anthropic": "/v1/models?limit=1000", "ollama": "/api/tags"}


class _Model(msgspec.Struct):
    id: str | None = None
    name: str | None = None


class _Listing(msgspec.Struct):
    data: list[_Model] = []
    models: list[_Model] = []


@dataclass(slots=True)
class _Known:
    names: tuple[str, ...] = ()
    until: float = 0.0
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


class ProviderModels:
    """Asks each provider at most once a minute, however many want to know."""

    def __init__(self, upstream: Upstream, clock: Callable[[], float] = time.monotonic) -> None:
        self._upstream = upstream
        self._clock = clock
        self._known: dict[str, _Known] = {}

    async def of(self, name: str, provider: Provider, base_url: str) -> tuple[str, ...]:
        """The models of a provider; the last known ones where it doesn't say now. Never raises."""
        if _refuses(provider):
            return ()
        known = self._known.setdefault(name, _Known())
        async with known.asking:
            if self._clock() >= known.until:
                known.names = await self._ask(provider, base_url) or known.names
                known.until = self._clock() + KEPT_SECONDS
        return known.names

    async def _ask(self, provider: Provider, base_url: str) -> tuple[str, ...]:
        url = base_url + _PATHS.get(provider.dialect or "", "/v1/models")
        headers = {"accept-encoding": "identity", **credential_headers(provider)}
        if provider.api == "anthropic":
            headers.setdefault("anthropic-version", ANTHROPIC_VERSION)
        try:
            async with asyncio.timeout(SECONDS):
                answer = await self._upstream.send("GET", url, headers, None, SECONDS)
                try:
                    body = await answer.read(MAX_BYTES)
                finally:
                    answer.close()
            listing = msgspec.json.decode(body, type=_Listing)
        except (UpstreamError, TimeoutError, ValueError):
            return ()
        named = (model.id or model.name for model in (*listing.data, *listing.models))
        return tuple(name for name in named if name)


def _refuses(provider: Provider) -> bool:
    """Whether it goes without saying: a vendor's own API, and no key for it."""
    has_key = provider.api_key is not None or bool(provider.headers)
    own = provider.api in ("ollama", "simulator") or provider.base_url != BASE_URLS[provider.api]
    return not has_key and not own
