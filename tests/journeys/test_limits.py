"""Rate limits on a whole gateway: exact, all-or-nothing, and released on every way out."""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from typing import Any

import httpx
import pytest

from llmitm.call import Principal
from llmitm.simulator.server import Simulator
from tests.support.calls import watch
from tests.support.gateway import KEY, Gateway, Starter
from tests.support.prompt import seconds_until

CHAT = "/v1/chat/completions"
HEADERS = {"authorization": f"Bearer {KEY}"}


def body(**extra: Any) -> dict[str, Any]:
    message = {"role": "user", "content": "hi"}
    return {"model": "m", "messages": [message], "max_tokens": 20, **extra}


def policies(limits: dict[str, Any] | None = None, **file: Any) -> dict[str, Any]:
    keys = [{"id": "dev", "key": KEY, "limits": limits or {}}]
    return {"keys": {"keys": keys}, "limits": file}


def post(gateway: Gateway, **extra: Any) -> httpx.Response:
    return httpx.post(gateway.url + CHAT, json=body(**extra), headers=HEADERS, timeout=30)


async def burst(gateway: Gateway, count: int, **extra: Any) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=100)
    async with httpx.AsyncClient(headers=HEADERS, timeout=60, limits=limits) as client:
        calls = [client.post(gateway.url + CHAT, json=body(**extra)) for _ in range(count)]
        return await asyncio.gather(*calls)


async def arrived(starter: Starter, simulator: Simulator) -> None:
    """Wait until the first request is with the provider."""
    await asyncio.wrap_future(
        asyncio.run_coroutine_threadsafe(simulator.arrived(1), starter.thread.loop)
    )


def remaining(gateway: Gateway) -> dict[str, int]:
    """What the key's limits have left, by kind."""
    master = gateway.master

    async def look() -> dict[str, int]:
        key = master.runtime.policies.keys[0]
        who = Principal(key=key.id, policy=key)
        limits = master.runtime.scopes.of(master.runtime.policies, who, "m", "*").limits
        levels = [await master.runtime.limits.level(limit) for limit in limits]
        pairs = zip(limits, levels, strict=True)
        return {limit.kind.value: limit.amount - level.spent for limit, level in pairs}

    return gateway.thread.run(look())


async def test_exactly_the_limit_is_admitted(starter: Starter) -> None:
    """Of 500 calls at once against 100 a minute, 100 are admitted; the others ask nobody."""
    simulator, url = starter.simulator()
    gateway = starter.gateway(policies=policies({"requests_per_minute": 100}), provider_url=url)
    replies = await burst(gateway, 500)
    assert {r.status_code for r in replies} == {200, 429}
    assert sum(r.status_code == 200 for r in replies) == simulator.total == 100


@pytest.mark.parametrize(
    "scope",
    [
        {"key": {"limits": {"requests_per_minute": 3}}},
        {"global": {"limits": {"requests_per_minute": 3}}},
        {"models": [{"model": "m*", "limits": {"requests_per_minute": 3}}]},
        {"routes": [{"route": "*", "limits": {"requests_per_minute": 3}}]},
    ],
    ids=lambda scope: next(iter(scope)),
)
def test_scopes(starter: Starter, scope: dict[str, Any]) -> None:
    """Every scope limits; the reply says what is left, the refusal when there will be more."""
    _, url = starter.simulator()
    gateway = starter.gateway(policies=policies(**scope), provider_url=url)
    begun = time.monotonic()
    for left in (2, 1, 0):
        reply = post(gateway)
        assert reply.status_code == 200
        assert reply.headers["x-ratelimit-limit-requests"] == "3"
        assert reply.headers["x-ratelimit-remaining-requests"] == str(left)
        assert re.fullmatch(r"(1m)?\d+(\.\d+)?s", reply.headers["x-ratelimit-reset-requests"])
    refused = post(gateway)
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    passed = time.monotonic() - begun
    assert 59 - passed <= int(refused.headers["retry-after"]) <= 61
    assert int(refused.headers["retry-after-ms"]) <= int(refused.headers["retry-after"]) * 1000
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    metrics = httpx.get(gateway.admin_url + "/metrics").text
    name = {"models": "model", "routes": "route"}.get(next(iter(scope)), next(iter(scope)))
    assert f'llmitm_rate_limited_total{{kind="requests",scope="{name}"}} 1.0' in metrics


def test_user_and_team(starter: Starter) -> None:
    """Two keys of one user share the user's limit, two users of one team the team's."""
    _, url = starter.simulator()
    users = [
        {"id": "ava", "team": "t", "limits": {"requests_per_minute": 2}},
        {"id": "bob", "team": "t"},
    ]
    keys = [
        {"id": f"{user}{n}", "key": f"sk-{user}{n}", "user": user}
        for user in ("ava", "bob")
        for n in (1, 2)
    ]
    team = {"id": "t", "limits": {"requests_per_minute": 3}}
    gateway = starter.gateway(
        policies={"keys": {"users": users, "keys": keys, "teams": [team]}}, provider_url=url
    )
    statuses = [
        httpx.post(
            gateway.url + CHAT, json=body(), headers={"authorization": f"Bearer sk-{key}"}
        ).status_code
        for key in ("ava1", "ava2", "ava1", "bob1", "bob2")
    ]
    assert statuses == [200, 200, 429, 200, 429]


async def test_tokens_are_reconciled_with_what_was_used(starter: Starter) -> None:
    """After calls that asked for 4,096 tokens and wrote 20, the ledger says what is left."""
    _, url = starter.simulator(tokens=20)
    gateway = starter.gateway(policies=policies({"tokens_per_minute": 100_000}), provider_url=url)
    watcher = watch(gateway)
    replies = [*await burst(gateway, 20, max_tokens=4096), *await burst(gateway, 20, stream=True)]
    assert {r.status_code for r in replies} == {200}
    used = sum(r.prompt_tokens + r.completion_tokens for r in watcher.wait(40))
    assert remaining(gateway) == {"tokens": 100_000 - used}
    last = post(gateway)
    assert int(last.headers["x-ratelimit-remaining-tokens"]) <= 100_000 - used


def test_too_large_is_counted_exactly_before_it_is_refused(starter: Starter) -> None:
    """The bound by bytes does not refuse what fits; what doesn't isn't worth trying again."""
    _, url = starter.simulator()
    gateway = starter.gateway(policies=policies({"tokens_per_minute": 1000}), provider_url=url)
    words = [{"role": "user", "content": "hello " * 900}]
    assert post(gateway, messages=words).status_code == 200
    refused = post(gateway, messages=[{"role": "user", "content": "hello " * 1100}])
    assert refused.status_code == 429
    assert refused.headers["x-should-retry"] == "false"
    assert "retry-after" not in refused.headers


async def test_mixed_ends_leave_nothing_held(starter: Starter) -> None:
    """A thousand cancels, faults and good ends leave no call counted as running."""
    _, url = starter.simulator(pace=200, tokens=20)
    resilience = {
        "retry": {"attempts": 1},
        "timeouts": {
            **dict.fromkeys(("first_token", "first_byte", "between_tokens"), 0.05),
            "connect": 1,
            "total": 1,
        },
    }
    gateway = starter.gateway(
        policies={**policies({"concurrent": 5000}), "resilience": resilience}, provider_url=url
    )
    watcher = watch(gateway)
    models = itertools.cycle(["m", "m@500", "m@silence", "m@cut", "m@stall", "m@reset", "m"])

    async def one(client: httpx.AsyncClient, number: int) -> None:
        data = body(model=next(models), stream=number % 2 == 0)
        try:
            async with asyncio.timeout(0.02 if number % 3 == 0 else 60):
                await client.post(gateway.url + CHAT, json=data)
        except (TimeoutError, httpx.HTTPError):
            return

    async with httpx.AsyncClient(headers=HEADERS, timeout=60) as client:
        for batch in itertools.batched(range(1000), 50):
            await asyncio.gather(*(one(client, number) for number in batch))
    watcher.wait(500)
    seconds_until(lambda: remaining(gateway) == {"concurrent": 5000})


async def test_calls_wait_instead_of_being_refused(starter: Starter) -> None:
    """Four calls of a limit of one at a time, each with time to wait, all succeed in turn."""
    simulator, url = starter.simulator(latency=0.1)
    gateway = starter.gateway(policies=policies({"concurrent": 1, "wait": "60s"}), provider_url=url)
    replies = await burst(gateway, 4)
    assert [r.status_code for r in replies] == [200] * 4
    assert simulator.total == 4


async def test_waiting_in_vain_is_a_refusal(starter: Starter) -> None:
    """Who finds no room in time is refused; who would wait longer than allowed, at once."""
    simulator, url = starter.simulator(latency=30)
    gateway = starter.gateway(
        policies=policies(
            {"concurrent": 1, "wait": 0.2}, **{"global": {"limits": {"requests_per_minute": 3}}}
        ),
        provider_url=url,
    )
    running = asyncio.create_task(burst(gateway, 1))
    await arrived(starter, simulator)
    refused = (await burst(gateway, 1))[0]
    assert refused.status_code == 429
    assert "at the same time" in refused.json()["error"]["message"]
    running.cancel()


async def test_who_leaves_waits_no_more(starter: Starter) -> None:
    """A client that disconnects while it waits takes nothing and leaves the queue."""
    simulator, url = starter.simulator(latency=0.5)
    gateway = starter.gateway(policies=policies({"concurrent": 1, "wait": "60s"}), provider_url=url)
    first = asyncio.create_task(burst(gateway, 1))
    await arrived(starter, simulator)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await burst(gateway, 1)
    await first
    assert (await burst(gateway, 1))[0].status_code == 200
    assert simulator.total == 2
