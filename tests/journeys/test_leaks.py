"""A thousand calls that end in every possible way leave nothing behind."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.gateway import KEY, Gateway, Starter

CALLS = 1000
AT_ONCE = 50
SETTLE_SECONDS = 30.0
FAULTS = ["", "@500", "@503", "@429", "@reset", "@cut:after=3", "@stall:after=3", "@silence",
          "@malformed:after=2", "@no-finish", "@400"]  # fmt: skip
PATHS = ["/v1/chat/completions", "/v1/messages", "/api/chat"]


async def call(session: aiohttp.ClientSession, url: str, rng: random.Random) -> None:
    """One call: any dialect, any fault, perhaps given up by the client on its way."""
    body: Any = {
        "model": f"m{rng.choice(FAULTS)}",
        "stream": rng.random() < 0.7,
        "max_tokens": 12,
        "messages": [{"role": "user", "content": "hi"}],
    }
    patience = rng.choice([0.002, 0.02, 0.1, 10, 10, 10])
    try:
        async with (
            asyncio.timeout(patience),
            session.post(url + rng.choice(PATHS), json=body) as reply,
        ):
            await reply.read()
    except (TimeoutError, aiohttp.ClientError):
        pass  # the client gave up, or the gateway broke off: both are meant


async def drive(url: str, calls: int, seed: int) -> None:
    rng = random.Random(seed)
    slots = asyncio.Semaphore(AT_ONCE)
    headers = {"authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def one() -> None:
            async with slots:
                await call(session, url, rng)

        await asyncio.gather(*(one() for _ in range(calls)))


def state(gateway: Gateway) -> dict[str, Any]:
    """What may leak, counted on the gateway's own loop."""

    def count() -> dict[str, Any]:
        gc.collect()
        targets = gateway.master.runtime.targets
        circuits = targets.circuits
        return {
            "in_flight": gateway.master.lifecycle.in_flight,
            "busy": sum(targets.load.in_flight(name) for name, _, _ in circuits.snapshots()),
            "probes": sum(shot.probes for _, _, shot in circuits.snapshots()),
            "tasks": len(asyncio.all_tasks()),
            "descriptors": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        }

    return gateway.call(count)


@pytest.mark.timeout(180)
def test_nothing_leaks(starter: Starter) -> None:
    """After 1,000 mixed calls nothing is in flight, and tasks and descriptors are as before."""
    simulator, url = starter.simulator()
    policies = {
        "resilience": {
            "retry": {"attempts": 2, "base": 0.01, "max": 0.02, "budget": None},
            "timeouts": {
                "connect": 1,
                "first_byte": 0.1,
                "first_token": 0.1,
                "between_tokens": 0.1,
            },
            "circuit_breaker": {"enabled": False},
        }
    }
    gateway = starter.gateway(policies=policies, provider_url=url)
    asyncio.run(drive(gateway.url, 100, seed=1))  # pools and caches are warm
    starter.thread.run(simulator.settled())
    before = settle(gateway)
    asyncio.run(drive(gateway.url, CALLS, seed=2))
    starter.thread.run(simulator.settled())
    most = {"tasks": before["tasks"] + 2, "descriptors": before["descriptors"] + AT_ONCE}
    settle(gateway, **most)  # some connections are kept alive


def settle(gateway: Gateway, **most: int) -> dict[str, Any]:
    """The state once no call is in flight, and there is no more than so much of the rest."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        seen = state(gateway)
        idle = all(seen[name] == 0 for name in ("in_flight", "busy", "probes"))
        if idle and all(seen[name] <= number for name, number in most.items()):
            return seen
        assert time.monotonic() < deadline, f"something is left: {seen}, {most}"
        time.sleep(0.02)
