from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from llmitm.probe import Reached
from llmitm.runtime import Runtime
from llmitm.seeds import health
from llmitm.seeds.health import Health
from tests.seeds.live import live, loaded

PROVIDERS = {"OLLAMA_URL": "http://ollama:1", "OPENAI_API_KEY": "k", "OPENAI_MODEL": "gpt-4o"}
CIRCUIT = "openai/gpt-4o"


class Probes:
    """Stands in for the network: who was asked, and what came of it."""

    def __init__(self, *answers: Reached) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, _upstream: object, _provider: object, base_url: str) -> Reached:
        self.asked.append(base_url)
        await self.go.wait()
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> Probes:
    probes = Probes(Reached(200))
    monkeypatch.setattr(health, "probe", probes)
    return probes


@pytest.fixture
def running() -> Runtime:
    return live(loaded(**PROVIDERS), upstream=None)


async def test_reachable(probes: Probes, running: Runtime) -> None:
    """The providers of the default model are asked, and no others."""
    status, body = await Health().of_models(running)
    assert (status, body["status"], body["circuit_breaker_state"]) == (200, "healthy", "closed")
    assert probes.asked == ["https://api.openai.com/v1"]


@pytest.mark.parametrize("reached", [Reached(500), Reached(401), Reached(fault="refused")])
async def test_unreachable(probes: Probes, running: Runtime, reached: Reached) -> None:
    """A provider that is away, fails or refuses the key can't be asked."""
    probes.answers = [reached]
    status, body = await Health().of_models(running)
    assert (status, body["status"]) == (500, "unavailable")


async def test_one_of_several_is_enough(probes: Probes) -> None:
    """A model with one provider left can be asked."""
    found = live(loaded(WORKER_ADDRESSES="a:1,b:2"), upstream=None)
    probes.answers = [Reached(fault="refused"), Reached(200)]
    assert (await Health().of_models(found))[0] == 200
    assert sorted(probes.asked) == ["http://a:1", "http://b:2"]


async def test_an_open_circuit_is_not_probed(probes: Probes, running: Runtime) -> None:
    """A target that is left alone is left alone by its health check too."""
    running.targets.circuits.guard(CIRCUIT).breaker.force_open(time.monotonic())
    status, body = await Health().of_models(running)
    assert (status, body["circuit_breaker_state"], probes.asked) == (500, "open", [])


async def test_probes_are_shared(
    probes: Probes, running: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many ask, a provider is asked once; later again, once that is long enough ago."""
    asked = Health()
    probes.go.clear()
    waiting = [asyncio.create_task(asked.of_models(running)) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    probes.go.set()
    results: list[Any] = await asyncio.gather(*waiting[1:], asked.of_models(running))
    assert {status for status, _ in results} == {200}
    assert len(probes.asked) == 1
    later = time.monotonic() + 60
    monkeypatch.setattr(time, "monotonic", lambda: later)
    await asked.of_models(running)
    assert len(probes.asked) == 2


async def test_all_targets_where_no_model_is_the_default(probes: Probes) -> None:
    """Where no model is set, any provider that can be asked will do."""
    found = live(loaded(ANTHROPIC_API_KEY="k"), upstream=None)
    assert (await Health().of_models(found))[0] == 200
    assert probes.asked == ["https://api.anthropic.com"]


def test_the_gateways_own_health(running: Runtime) -> None:
    """The gateway is healthy with a circuit open: that is how it is meant to work."""
    running.targets.circuits.guard(CIRCUIT).breaker.force_open(time.monotonic())
    told = Health().of_gateway(running)
    assert (told["status"], told["llm"]["circuit_breaker_state"]) == ("healthy", "open")
