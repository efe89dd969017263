"""The addon that answers for the gateway itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mitmproxy import http

from addons import seed_health
from addons.seed_health import SeedHealth
from llmitm.seeds.health import Health
from tests.seeds.flows import flow_of
from tests.seeds.live import live, loaded


@pytest.fixture
def addon(monkeypatch: pytest.MonkeyPatch) -> SeedHealth:
    running = live(loaded(WORKER_ADDRESSES="a:1"))
    monkeypatch.setattr(seed_health, "runtime", lambda: running)
    return SeedHealth()


async def told(addon: SeedHealth, path: str, operation: str) -> tuple[int, Any]:
    flow, call = flow_of(path, b"", "GET")
    call.operation = operation
    await addon.request(flow)
    assert flow.response is not None
    assert flow.response.headers["content-type"] == "application/json"
    return flow.response.status_code, json.loads(flow.response.content or b"")


async def test_health(addon: SeedHealth) -> None:
    """The gateway's health has its circuits; the liveness check is short."""
    status, body = await told(addon, "/health", "health")
    assert (status, body["status"]) == (200, "healthy")
    assert body["llm"]["circuit_breaker_state"] == "closed"
    assert await told(addon, "/api/health", "health") == (200, {"status": "healthy"})


async def test_llm_health(addon: SeedHealth, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status is what came of asking the models' providers."""

    async def away(*_: object) -> tuple[int, dict[str, str]]:
        return 500, {"status": "unavailable"}

    monkeypatch.setattr(Health, "of_models", away)
    assert await told(addon, "/health/llm", "health") == (500, {"status": "unavailable"})


async def test_workers(addon: SeedHealth) -> None:
    """Every target is listed."""
    status, body = await told(addon, "/workers", "workers")
    assert status == 200
    assert [worker["worker_id"] for worker in body["workers"]] == ["worker-0"]


@pytest.mark.parametrize("response", [None, http.Response.make(405)])
async def test_leaves_others_alone(addon: SeedHealth, response: http.Response | None) -> None:
    """What is answered already, or asks for something else, passes."""
    flow, call = flow_of("/health", b"", "GET")
    call.operation = "health" if response else "chat"
    flow.response = response
    await addon.request(flow)
    assert flow.response is response
