"""go-llm-nexus: what its document shows works with this gateway, ports aside."""

from __future__ import annotations

import asyncio
import json
import re
from decimal import Decimal
from typing import Any

import httpx
import pytest

from llmitm.simulator.answer import expected_text
from llmitm.simulator.server import Simulator
from llmitm.stores.reader import open_reader
from llmitm.stores.usage import UsageRow
from tests.support.calls import watch
from tests.support.gateway import KEY, Gateway, Starter
from tests.support.seeds import curl, from_environment, post

COSTS = {
    "OPENAI_INPUT_COST_PER_1K": "0.0005",
    "OPENAI_OUTPUT_COST_PER_1K": "0.0015",
    "GEMINI_INPUT_COST_PER_1K": "0.002",
    "GEMINI_OUTPUT_COST_PER_1K": "0.004",
}
JOKE = {"prompt": "Tell me a joke", "temperature": 0.7, "max_tokens": 128}


def providers(openai: Simulator, gemini: Simulator) -> dict[str, str]:
    return {
        "OPENAI_API_KEY": "sk-o",
        "OPENAI_BASE_URL": f"{openai.url}/v1",
        "GEMINI_API_KEY": "sk-g",
        "GEMINI_BASE_URL": f"{gemini.url}/v1",
    }


@pytest.fixture
def openai(starter: Starter) -> Simulator:
    return starter.simulator(tokens=42)[0]


@pytest.fixture
def gemini(starter: Starter) -> Simulator:
    return starter.simulator(tokens=42, seed=1)[0]


@pytest.fixture
def gateway(starter: Starter, openai: Simulator, gemini: Simulator) -> Gateway:
    return from_environment(starter, **providers(openai, gemini), **COSTS)


def register(gateway: Gateway, name: str = "Ava") -> str:
    reply = httpx.post(f"{gateway.url}/api/users", json={"name": name})
    return str(reply.json()["id"])


def test_register_a_user(gateway: Gateway) -> None:
    """The document's curl registers a user, without a key, and gets id, name and time."""
    reply = curl(
        "-X", "POST", f"{gateway.url}/api/users",
        "-H", "Content-Type: application/json",
        "-d", '{"name": "Ava"}',
    )  # fmt: skip
    assert reply.status == 201
    assert list(reply.json) == ["id", "name", "created_at"]
    assert reply.json["name"] == "Ava"
    assert re.fullmatch(r"user-\w+", reply.json["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", reply.json["created_at"])


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": 7}, {"name": "x" * 201}, ["Ava"]])
def test_register_needs_a_name(gateway: Gateway, body: Any) -> None:
    """A registration without a usable name is the client's fault."""
    assert httpx.post(f"{gateway.url}/api/users", json=body).status_code == 400


def test_generate_text(gateway: Gateway, openai: Simulator) -> None:
    """The document's request is answered with the content, its author, its time and its cost."""
    user = register(gateway)
    reply = post(f"{gateway.url}/api/generate", {"user_id": user, "provider": "openai", **JOKE})
    answer = reply.json
    assert reply.status == 200
    assert list(answer) == ["content", "provider_used", "processing_time_ms", "usage"]
    assert answer["content"] == expected_text([{"role": "user", "content": JOKE["prompt"]}], 42)
    assert answer["provider_used"] == "openai"
    assert isinstance(answer["processing_time_ms"], int)
    usage = answer["usage"]
    assert usage["completion_tokens"] == 42
    assert usage["total_tokens"] == usage["prompt_tokens"] + 42
    cost = usage["prompt_tokens"] * Decimal("0.0005") + 42 * Decimal("0.0015")
    assert usage["cost_usd"] == pytest.approx(float(cost / 1000), rel=1e-6)
    asked = json.loads(openai.requests[-1].body)
    assert asked["model"] == "gpt-3.5-turbo"
    assert (asked["temperature"], asked["max_tokens"]) == (0.7, 128)


def test_switch_providers(gateway: Gateway, gemini: Simulator) -> None:
    """The provider's name decides who is asked, for which model and at which price."""
    user = register(gateway)
    body = {"user_id": user, "provider": "gemini", **JOKE}
    answer = httpx.post(f"{gateway.url}/api/generate", json=body).json()
    usage = answer["usage"]
    assert answer["provider_used"] == "gemini"
    assert gemini.requests[-1].model == "gemini-2.0-flash-exp"
    cost = usage["prompt_tokens"] * Decimal("0.002") + 42 * Decimal("0.004")
    assert usage["cost_usd"] == pytest.approx(float(cost / 1000), rel=1e-6)


def test_models_of_the_environment(starter: Starter, openai: Simulator, gemini: Simulator) -> None:
    """OPENAI_MODEL and GEMINI_MODEL name the models to call, and the costs are theirs."""
    models = {"OPENAI_MODEL": "gpt-4o-mini", "GEMINI_MODEL": "gemini-2.5-flash"}
    gateway = from_environment(starter, **providers(openai, gemini), **COSTS, **models)
    user = register(gateway)
    for name, simulator in (("openai", openai), ("gemini", gemini)):
        body = {"user_id": user, "provider": name, **JOKE}
        answer = httpx.post(f"{gateway.url}/api/generate", json=body).json()
        usage = answer["usage"]
        assert simulator.requests[-1].model == models[f"{name.upper()}_MODEL"]
        prices = [float(COSTS[f"{name.upper()}_{d}_COST_PER_1K"]) for d in ("INPUT", "OUTPUT")]
        cost = (usage["prompt_tokens"] * prices[0] + 42 * prices[1]) / 1000
        assert usage["cost_usd"] == pytest.approx(cost, rel=1e-6)


def test_every_call_is_linked_to_its_user(gateway: Gateway) -> None:
    """Calls, tokens and cost are in the ledger by user, for two users apart."""
    users = [register(gateway, name) for name in ("Ava", "Ava")]
    assert users[0] != users[1]
    answers = []
    for user, calls in zip(users, (2, 1), strict=True):
        for _ in range(calls):
            body = {"user_id": user, "provider": "openai", **JOKE}
            answers.append(httpx.post(f"{gateway.url}/api/generate", json=body).json()["usage"])
    assert gateway.master.runtime.ledger.flush(60)
    rows = asyncio.run(_usage(gateway))
    assert [rows[user].calls for user in users] == [2, 1]
    assert float(rows[users[0]].cost_usd) == pytest.approx(answers[0]["cost_usd"] * 2)
    assert rows[users[1]].completion_tokens == 42


async def _usage(gateway: Gateway) -> dict[str | None, UsageRow]:
    async with open_reader(gateway.master.loaded.gateway.store.ledger) as reader:
        return {row.group: row for row in await reader.usage(by="user")}


def test_unknown_user(gateway: Gateway, openai: Simulator) -> None:
    """Who has not registered is told how to, and no provider is asked."""
    body = {"user_id": "user-123", "provider": "openai", **JOKE}
    reply = post(f"{gateway.url}/api/generate", body)
    assert (reply.status, reply.json["code"]) == (400, "unknown_user")
    assert "/api/users" in reply.json["error"]
    assert openai.total == 0


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": ""},
        {"provider": "nobody"},
        {"provider": 7},
        {"user_id": None},
        {"temperature": 3},
        {"temperature": "hot"},
        {"max_tokens": 0},
        {"max_tokens": 1.5},
    ],
)
def test_invalid_requests(gateway: Gateway, change: Any) -> None:
    """A field that makes no sense is named."""
    body = {"user_id": register(gateway), "provider": "openai", **JOKE, **change}
    reply = httpx.post(f"{gateway.url}/api/generate", json=body)
    assert reply.status_code == 400
    assert next(iter(change)) in reply.json()["error"] or "nobody" in reply.json()["error"]


def test_registration_survives_a_restart(
    starter: Starter, gateway: Gateway, openai: Simulator, gemini: Simulator
) -> None:
    """A user registered once is known to the next process."""
    user = register(gateway)
    gateway.stop()
    starter.running.remove(gateway.stop)
    again = from_environment(starter, **providers(openai, gemini), **COSTS)
    body = {"user_id": user, "provider": "openai", **JOKE}
    assert httpx.post(f"{again.url}/api/generate", json=body).status_code == 200


def test_liveness(gateway: Gateway) -> None:
    """`GET /api/health` answers as long as the gateway runs."""
    reply = curl(f"{gateway.url}/api/health")
    assert (reply.status, reply.json) == (200, {"status": "healthy"})


def test_ollamas_own_generate_stays(gateway: Gateway) -> None:
    """Without user_id and provider, /api/generate is Ollama's, stream and all."""
    body = {"model": "gpt-4o", "prompt": "hi"}
    lines = httpx.post(f"{gateway.url}/api/generate", json=body).text.splitlines()
    assert json.loads(lines[-1])["done"] is True
    whole = httpx.post(f"{gateway.url}/api/generate", json={**body, "stream": False}).json()
    assert whole["response"]


class TestWithKeys:
    """Where a key is required, it is required here too, and a user's key speaks for that user."""

    @pytest.fixture
    def gateway(self, starter: Starter) -> Gateway:
        _, url = starter.simulator()
        policies: dict[str, Any] = {
            "keys": {
                "teams": [{"id": "shop"}],
                "users": [{"id": "ben", "name": "Ben", "team": "shop"}],
                "keys": [
                    {"id": "app", "key": KEY},
                    {"id": "own", "key": "sk-ben", "user": "ben"},
                ],
            },
            "limits": {"user": {"limits": {"requests_per_minute": 2}}},
        }
        return starter.gateway({"seed_apis": True}, policies, provider_url=url)

    def ask(self, gateway: Gateway, key: str, user: str) -> httpx.Response:
        body = {"user_id": user, "provider": "sim", **JOKE}
        headers = {"authorization": f"Bearer {key}"}
        return httpx.post(f"{gateway.url}/api/generate", json=body, headers=headers)

    def test_a_key_is_needed(self, gateway: Gateway) -> None:
        """Neither registering nor generating goes without one."""
        for path in ("/api/users", "/api/generate"):
            body = {"name": "Ava", "user_id": "ben", "prompt": "hi"}
            assert httpx.post(gateway.url + path, json=body).status_code == 401
        assert httpx.get(f"{gateway.url}/api/health").status_code == 200

    def test_an_applications_key_speaks_for_all_users(self, gateway: Gateway) -> None:
        """A key of no user may be used for any; the call is the user's and the team's."""
        watcher = watch(gateway)
        assert self.ask(gateway, KEY, "ben").status_code == 200
        (record,) = watcher.wait()
        assert (record.key, record.user, record.team) == ("app", "ben", "shop")

    def test_a_users_key_speaks_for_no_other(self, gateway: Gateway) -> None:
        """A user can't spend what is another's."""
        headers = {"authorization": f"Bearer {KEY}"}
        made = httpx.post(f"{gateway.url}/api/users", json={"name": "Ava"}, headers=headers)
        reply = self.ask(gateway, "sk-ben", made.json()["id"])
        assert (reply.status_code, reply.json()["code"]) == (403, "user_not_allowed")
        assert self.ask(gateway, "sk-ben", "ben").status_code == 200

    def test_limits_are_each_users_own(self, gateway: Gateway) -> None:
        """A user who reached the limit stops no other user of the same key."""
        headers = {"authorization": f"Bearer {KEY}"}
        made = httpx.post(f"{gateway.url}/api/users", json={"name": "Ava"}, headers=headers)
        assert [self.ask(gateway, KEY, "ben").status_code for _ in range(3)] == [200, 200, 429]
        assert self.ask(gateway, KEY, made.json()["id"]).status_code == 200
