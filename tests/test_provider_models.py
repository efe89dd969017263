"""Asking providers what models they have: rarely, and without trouble where they don't say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from llmitm.config.schema import Provider
from llmitm.engine.upstream import Upstream
from llmitm.provider_models import KEPT_SECONDS, ProviderModels
from llmitm.simulator import Settings
from llmitm.simulator.server import Simulator

MODELS = ("sim-small", "sim-large")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    simulator = Simulator(Settings(models=MODELS, api_key="sk-provider"))
    await simulator.start()
    yield simulator
    await simulator.stop()


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    yield upstream
    await upstream.close()


@pytest.mark.parametrize(
    ("api", "path"), [("openai", "/v1"), ("anthropic", ""), ("ollama", ""), ("simulator", "")]
)
async def test_each_api(simulator: Simulator, upstream: Upstream, api: Any, path: str) -> None:
    """The list of each API is understood, asked for with the provider's credential."""
    url = f"{simulator.url}{path}"
    provider = Provider.model_validate({"api": api, "base_url": url, "api_key": "sk-provider"})
    assert await ProviderModels(upstream).of("one", provider, url) == MODELS


async def test_once_a_minute(simulator: Simulator, upstream: Upstream) -> None:
    """However many want to know at once, and again only when the list is old."""
    clock = Clock()
    known = ProviderModels(upstream, clock)
    url = f"{simulator.url}/v1"
    provider = Provider.model_validate({"api": "openai", "base_url": url, "api_key": "sk-provider"})
    await asyncio.gather(*(known.of("one", provider, url) for _ in range(20)))
    assert simulator.total == 1
    clock.now += KEPT_SECONDS
    await known.of("one", provider, url)
    assert simulator.total == 2


@pytest.mark.parametrize("fault", ["500", "reset", "garbage", "401", "empty"])
async def test_no_answer(simulator: Simulator, upstream: Upstream, fault: str) -> None:
    """A provider that doesn't say has no models, or those it had; it isn't asked again at once."""
    clock = Clock()
    url = f"{simulator.url}/v1"
    provider = Provider.model_validate({"api": "openai", "base_url": url, "api_key": "sk-provider"})
    simulator.fault = fault
    fresh, known = ProviderModels(upstream, clock), ProviderModels(upstream, clock)
    assert await fresh.of("one", provider, url) == ()
    asked = simulator.total
    assert await fresh.of("one", provider, url) == ()
    assert simulator.total == asked
    simulator.fault = None
    assert await known.of("one", provider, url) == MODELS
    clock.now += KEPT_SECONDS
    simulator.fault = fault
    assert await known.of("one", provider, url) == MODELS


async def test_a_vendor_without_a_key_is_not_asked(upstream: Upstream) -> None:
    """What would be refused isn't sent."""
    for api in ("openai", "anthropic", "gemini"):
        provider = Provider.model_validate({"api": api})
        closed = "http://127.0.0.1:9"
        assert await ProviderModels(upstream).of("one", provider, closed) == ()
