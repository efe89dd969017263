"""Balancing as the providers see it: who gets how many calls, and how soon a slow one fewer."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from llmitm.simulator.server import Simulator
from tests.support.gateway import KEY, Gateway, Starter

# Far beyond what a busy machine adds to a call, so that the order of the two is never in doubt.
SLOW = "ok:latency=3"
CALLS = 20


class Two:
    """A gateway that balances between two providers."""

    def __init__(self, starter: Starter, strategy: str, *weights: float) -> None:
        made = [starter.simulator(tokens=2) for _ in range(2)]
        self.providers: list[Simulator] = [simulator for simulator, _ in made]
        names = ("one", "two")
        providers = {
            name: {"api": "openai", "base_url": f"{url}/v1"}
            for name, (_, url) in zip(names, made, strict=True)
        }
        targets = [
            {"provider": name, "model": "m", "weight": weight}
            for name, weight in zip(names, weights or (1, 1), strict=True)
        ]
        route = {"model": "m", "strategy": strategy, "targets": targets}
        self.gateway: Gateway = starter.gateway(
            {"providers": providers}, {"routes": {"routes": [route]}}
        )

    async def calls(self, number: int, at_once: int = 1) -> None:
        """So many calls, `at_once` of them at any time."""
        headers = {"authorization": f"Bearer {KEY}"}
        left = iter(range(number))

        async def work(client: httpx.AsyncClient) -> None:
            for _ in left:
                reply = await client.post(f"{self.gateway.url}/v1/chat/completions", json=BODY)
                assert reply.status_code == 200

        async with httpx.AsyncClient(headers=headers, timeout=60) as client:
            await asyncio.gather(*(work(client) for _ in range(at_once)))

    def shares(self) -> list[int]:
        """How many calls each provider got since the last time."""
        counts = [provider.total for provider in self.providers]
        for provider in self.providers:
            provider.total = 0
        return counts


BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("strategy", "weights", "expected"),
    [
        ("priority", (1, 1), [CALLS, 0]),
        ("round_robin", (1, 1), [CALLS // 2, CALLS // 2]),
        ("weighted", (3, 1), [CALLS * 3 // 4, CALLS // 4]),
        ("weighted", (0, 1), [0, CALLS]),
    ],
)
async def test_shares(
    starter: Starter, strategy: str, weights: tuple[float, float], expected: list[int]
) -> None:
    """Calls are shared out exactly as the strategy says."""
    two = Two(starter, strategy, *weights)
    await two.calls(CALLS)
    assert two.shares() == expected


@pytest.mark.parametrize("strategy", ["least_busy", "lowest_latency"])
async def test_a_slowed_target_gets_fewer_calls(starter: Starter, strategy: str) -> None:
    """Within 20 calls the load goes to the provider that did not become slow."""
    two = Two(starter, strategy)
    await two.calls(10, at_once=4)
    assert min(two.shares()) >= 1
    two.providers[0].fault = SLOW
    await two.calls(CALLS, at_once=4)
    slow, fast = two.shares()
    assert (slow + fast, slow <= CALLS // 4) == (CALLS, True)


async def test_the_idlest_is_asked(starter: Starter) -> None:
    """While one provider still works on a call, the other one gets the next."""
    two = Two(starter, "least_busy")
    for provider in two.providers:
        provider.fault = "ok:latency=1.5"
    await two.calls(2, at_once=2)
    assert two.shares() == [1, 1]
