"""Budgets on a whole gateway: never overshot, settled for what was delivered, remembered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import anthropic
import httpx
import openai
import pytest

from llmitm.scopes import everyones_budgets
from tests.support.calls import watch
from tests.support.gateway import KEY, Gateway, Starter

CHAT = "/v1/chat/completions"
HEADERS = {"authorization": f"Bearer {KEY}"}
# One token, in or out, costs a thousandth of a dollar.
PRICE = {"provider": "sim", "model": "*", "input_per_million": 1000, "output_per_million": 1000}


def policies(*budgets: dict[str, Any], **key: Any) -> dict[str, Any]:
    return {
        "keys": {"keys": [{"id": "dev", "key": KEY, "budgets": list(budgets), **key}]},
        "prices": {"prices": [PRICE]},
    }


DAY = {"usd": 1, "per": "day"}


def body(**extra: Any) -> dict[str, Any]:
    message = {"role": "user", "content": "hi"}
    return {"model": "m", "messages": [message], "max_tokens": 20, **extra}


def post(gateway: Gateway, **extra: Any) -> httpx.Response:
    return httpx.post(gateway.url + CHAT, json=body(**extra), headers=HEADERS, timeout=30)


async def burst(gateway: Gateway, count: int, **extra: Any) -> list[httpx.Response]:
    async with httpx.AsyncClient(headers=HEADERS, timeout=60) as client:
        calls = [client.post(gateway.url + CHAT, json=body(**extra)) for _ in range(count)]
        return await asyncio.gather(*calls)


def standing(gateway: Gateway) -> tuple[Decimal, Decimal]:
    """What the key's first budget says is spent, and what of it is reserved, in USD."""

    async def look() -> tuple[Decimal, Decimal]:
        budget = next(everyones_budgets(gateway.master.runtime.policies))
        level = await gateway.master.runtime.budgets.level(budget)
        return Decimal(level.spent) / 10**9, Decimal(level.held) / 10**9

    return gateway.thread.run(look())


async def test_parallel_streams_cannot_overshoot(starter: Starter) -> None:
    """Of 200 streams at once against 1 USD as many are admitted as their worst case allows.

    Once they are settled the rest of the budget can be spent, to the last cent but not beyond.
    """
    _, url = starter.simulator(pace=200, tokens=20)
    gateway = starter.gateway(policies=policies(DAY), provider_url=url)
    watcher = watch(gateway)
    first = await burst(gateway, 200, stream=True)
    for _ in range(12):
        last = await burst(gateway, 10, stream=True)
    assert {r.status_code for r in first} == {200, 429}
    assert {r.status_code for r in last} == {429}
    spent = sum((r.cost_usd or Decimal(0) for r in watcher.wait(320)), Decimal(0))
    assert Decimal("0.85") < spent <= 1
    assert standing(gateway) == (spent, 0)


def test_the_sdk_calls_once(starter: Starter) -> None:
    """OpenAI's and Anthropic's SDKs don't try again when the budget is exhausted."""
    simulator, url = starter.simulator()
    gateway = starter.gateway(policies=policies({"usd": "0.001", "per": "day"}), provider_url=url)
    watcher = watch(gateway)
    with pytest.raises(openai.RateLimitError) as caught:
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY).chat.completions.create(
            model="m", messages=[{"role": "user", "content": "hi"}], max_tokens=20
        )
    assert caught.value.code == "insufficient_quota"
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert len(watcher.wait(1)) == 1
    with pytest.raises(anthropic.APIStatusError) as refused:
        anthropic.Anthropic(base_url=gateway.url, api_key=KEY).messages.create(
            model="m", messages=[{"role": "user", "content": "hi"}], max_tokens=20
        )
    assert refused.value.status_code == 402
    assert refused.value.body["error"]["type"] == "billing_error"  # type: ignore[index, call-overload]
    assert len(watcher.wait(2)) == 2
    assert simulator.total == 0


def test_a_restart_remembers(starter: Starter) -> None:
    """What was spent before a restart counts after it."""
    _, url = starter.simulator(tokens=20)
    gateway = starter.gateway(policies=policies(DAY, {**DAY, "calendar": "UTC"}), provider_url=url)
    for _ in range(3):
        assert post(gateway).status_code == 200
    before, _ = standing(gateway)
    gateway.stop()
    starter.running.pop()
    again = starter.gateway(policies=policies(DAY, {**DAY, "calendar": "UTC"}), provider_url=url)
    reply = post(again)
    after, held = standing(again)
    assert (after, held) == (before + Decimal(reply.headers["x-llmitm-cost-usd"]), 0)


@pytest.mark.parametrize("fault", ["cut:after=5", "stall:after=5", "error-event:after=5"])
def test_a_broken_stream_costs_what_was_delivered(starter: Starter, fault: str) -> None:
    """The reservation is given back but for the tokens that came."""
    _, url = starter.simulator(tokens=20)
    resilience = {"retry": {"attempts": 1}, "timeouts": {"between_tokens": 0.2}}
    gateway = starter.gateway(
        policies={**policies(DAY), "resilience": resilience}, provider_url=url
    )
    watcher = watch(gateway)
    post(gateway, stream=True, model=f"m@{fault}")
    [record] = watcher.wait(1)
    assert 0 < record.completion_tokens < 20
    assert standing(gateway) == (record.cost_usd, 0)


@pytest.mark.parametrize("fault", ["500", "reset", "silence"])
def test_a_call_that_failed_costs_nothing(starter: Starter, fault: str) -> None:
    """Nothing stays reserved for it."""
    _, url = starter.simulator()
    resilience = {"retry": {"attempts": 1}, "timeouts": {"first_byte": 0.2}}
    gateway = starter.gateway(
        policies={**policies(DAY), "resilience": resilience}, provider_url=url
    )
    watcher = watch(gateway)
    assert post(gateway, model=f"m@{fault}").status_code >= 500
    watcher.wait(1)
    assert standing(gateway) == (0, 0)


def test_a_resumed_stream_counts_every_attempt(starter: Starter) -> None:
    """What the first target wrote before it broke off is paid for too, within the budget."""
    _, url = starter.simulator(tokens=20)
    routes = [
        {
            "model": "m",
            "targets": [
                {"provider": "sim", "model": "a@cut:after=5"},
                {"provider": "sim", "model": "b"},
            ],
        }
    ]
    rich = starter.gateway(
        policies={**policies(DAY), "routes": {"routes": routes}}, provider_url=url
    )
    watcher = watch(rich)
    reply = post(rich, stream=True)
    assert "[DONE]" in reply.text
    [record] = watcher.wait(1)
    assert record.cost_usd is not None
    assert record.cost_usd > Decimal(record.prompt_tokens + record.completion_tokens) / 1000
    assert standing(rich) == (record.cost_usd, 0)


def test_no_money_to_resume(starter: Starter) -> None:
    """Where the budget has no room for the rest of an answer, it ends with the error in-band."""
    _, url = starter.simulator(tokens=20)
    targets = [{"provider": "sim", "model": m} for m in ("a@cut:after=5", "b")]
    gateway = starter.gateway(
        policies={
            **policies({"usd": "0.2", "per": "day"}),
            "routes": {"routes": [{"model": "m", "targets": targets}]},
        },
        provider_url=url,
    )
    watcher = watch(gateway)
    reply = post(gateway, stream=True)
    assert "insufficient_quota" in reply.text
    assert "[DONE]" not in reply.text
    [record] = watcher.wait(1)
    assert standing(gateway) == (record.cost_usd, 0)


UNPRICED = {"providers": {"far": {"api": "openai", "base_url": "http://127.0.0.1:9"}}}


def test_a_model_without_a_price(starter: Starter) -> None:
    """It is refused by name, with the file to edit, where there is a budget, and only there."""
    key = {"id": "free", "key": "sk-free"}
    file = policies(DAY)
    file["keys"]["keys"].append(key)
    file["prices"] = {"prices": []}
    targets = [{"provider": "far", "model": "house-model"}]
    file["routes"] = {"routes": [{"model": "m", "targets": targets}]}
    file["resilience"] = {"retry": {"attempts": 1}}
    gateway = starter.gateway(UNPRICED, file)
    refused = post(gateway)
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "model_not_priced"
    assert "policies/prices.yaml" in refused.json()["error"]["message"]
    assert "house-model" in refused.json()["error"]["message"]
    other = httpx.post(
        gateway.url + CHAT, json=body(), headers={"authorization": "Bearer sk-free"}, timeout=30
    )
    assert other.status_code == 503


def test_a_price_of_zero_is_a_price(starter: Starter) -> None:
    """What costs nothing can be called with an exhausted budget."""
    _, url = starter.simulator()
    file = policies({"usd": 0, "per": "day"})
    file["prices"] = {"prices": [{**PRICE, "input_per_million": 0, "output_per_million": 0}]}
    gateway = starter.gateway(policies=file, provider_url=url)
    assert post(gateway).status_code == 200


def test_what_isnt_sold_by_the_token(starter: Starter) -> None:
    """Images are refused to a key with a budget: nobody knows before what they cost."""
    _, url = starter.simulator()
    gateway = starter.gateway(policies=policies(DAY), provider_url=url)
    reply = httpx.post(
        gateway.url + "/v1/images/generations", json={"model": "m", "prompt": "x"}, headers=HEADERS
    )
    assert reply.status_code == 403
    assert reply.json()["error"]["code"] == "cost_unknown"


def test_max_usd_per_call(starter: Starter) -> None:
    """A call that may cost more is refused as a bad request; one that states less goes through."""
    _, url = starter.simulator(tokens=5)
    gateway = starter.gateway(policies=policies(max_usd_per_call="0.05"), provider_url=url)
    refused = post(gateway, max_tokens=100)
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "max_usd_per_call"
    assert post(gateway, max_tokens=5).status_code == 200


def test_an_unstated_maximum_is_stated(starter: Starter) -> None:
    """A call under a budget is sent with a maximum, so that what it costs is bounded."""
    simulator, url = starter.simulator()
    file = {**policies(DAY), "limits": {"default_max_output": 30}}
    gateway = starter.gateway(policies=file, provider_url=url)
    reply = httpx.post(
        gateway.url + CHAT,
        json={"model": "m", "messages": [{"role": "user", "content": "hi"}]},
        headers=HEADERS,
    )
    assert reply.status_code == 200
    assert json.loads(simulator.requests[-1].body)["max_completion_tokens"] == 30


def test_all_choices_are_counted(starter: Starter) -> None:
    """`n` answers may cost n times as much."""
    _, url = starter.simulator()
    gateway = starter.gateway(policies=policies({"usd": "0.2", "per": "day"}), provider_url=url)
    assert post(gateway, n=10).status_code == 429
    assert post(gateway).status_code == 200


def test_a_refused_call_costs_no_request(starter: Starter) -> None:
    """A call that the budget refuses is given back to the limits."""
    _, url = starter.simulator(tokens=5)
    file = policies({"usd": "0.1", "per": "day"}, limits={"requests_per_minute": 2})
    gateway = starter.gateway(policies=file, provider_url=url)
    for _ in range(5):
        assert post(gateway, max_tokens=1000).json()["error"]["code"] == "insufficient_quota"
    assert post(gateway, max_tokens=5).headers["x-ratelimit-remaining-requests"] == "1"


@pytest.fixture
def inbox() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A web server that keeps the JSON that is posted to it."""
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", got
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_warning_is_posted_once(
    starter: Starter, inbox: tuple[str, list[dict[str, Any]]]
) -> None:
    """When the threshold is reached there is one metric and one POST, however many calls follow."""
    hook, got = inbox
    _, url = starter.simulator(tokens=20)
    file = policies({**DAY, "warn_at": 0.05})
    file["limits"] = {"webhook": hook}
    gateway = starter.gateway(policies=file, provider_url=url)
    watcher = watch(gateway)
    for _ in range(4):
        assert post(gateway).status_code == 200
    watcher.wait(4)
    metrics = httpx.get(gateway.admin_url + "/metrics").text
    assert 'llmitm_budget_warnings_total{id="dev",per="day",scope="key"} 1.0' in metrics
    spent, _ = standing(gateway)
    assert f'llmitm_budget_remaining_usd{{id="dev",per="day",scope="key"}} {1 - spent}' in metrics
    gateway.stop()
    starter.running.pop()
    assert [(n["scope"], n["id"], n["per"]) for n in got] == [("key", "dev", "day")]
    assert got[0]["spent_usd"] >= 0.05
