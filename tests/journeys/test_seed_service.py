"""The FastAPI LLM service: what its document shows works with this gateway, ports aside."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from llmitm.simulator.answer import expected_text
from llmitm.simulator.server import Simulator
from tests.support.calls import watch
from tests.support.gateway import Gateway, Starter
from tests.support.seeds import curl, from_environment

KEY = {"X-API-Key": "dev-secret-key"}


@pytest.fixture
def simulator(starter: Starter) -> Simulator:
    return starter.simulator(tokens=12)[0]


def before(starter: Starter, simulator: Simulator, timeout: str = "60s") -> Gateway:
    env = {"OPENAI_API_KEY": "sk-provider", "OPENAI_BASE_URL": f"{simulator.url}/v1"}
    settings = {"LLM_TIMEOUT": timeout, "LLM_CIRCUIT_BREAKER_ENABLED": "false"}
    return from_environment(starter, API_KEYS="dev-secret-key", **env, **settings)


@pytest.fixture
def gateway(starter: Starter, simulator: Simulator) -> Gateway:
    return before(starter, simulator)


def ask(gateway: Gateway, body: Any = None, headers: Any = None) -> httpx.Response:
    body = {"prompt": "hello"} if body is None else body
    return httpx.post(f"{gateway.url}/generate", json=body, headers=KEY | (headers or {}))


def test_the_documents_curl(gateway: Gateway) -> None:
    """A prompt with an X-API-Key is answered with a response, as the document's curl asks."""
    reply = curl(
        "-X", "POST", f"{gateway.url}/generate",
        "-H", "X-API-Key: dev-secret-key",
        "-H", "Content-Type: application/json",
        "-d", '{"prompt":"hello"}',
    )  # fmt: skip
    said = expected_text([{"role": "user", "content": "hello"}], 12)
    assert (reply.status, reply.json) == (200, {"response": said})


def test_request_id(gateway: Gateway) -> None:
    """Each request has an id: in the reply, in errors, and in the record that logs are made of."""
    watcher = watch(gateway)
    good, bad = ask(gateway), ask(gateway, {})
    ids = [good.headers["x-request-id"], bad.headers["x-request-id"]]
    assert [record.request_id for record in watcher.wait(2)] == ids
    assert bad.json()["request_id"] == ids[1]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("429", 429, "rate_limited"),
        ("silence", 504, "upstream_timeout"),
        ("500", 503, "upstream_unavailable"),
        ("hangup", 503, "upstream_unavailable"),
        ("garbage", 503, "upstream_unavailable"),
        ("401", 503, "upstream_unavailable"),
        ("context-length", 400, "upstream_refused"),
    ],
)
def test_failure_modes_upstream(
    starter: Starter, simulator: Simulator, fault: str, status: int, code: str
) -> None:
    """Each failure of the provider has its status, and none of the provider's own words leak."""
    gateway = before(starter, simulator, timeout="300ms" if fault == "silence" else "60s")
    simulator.fault = fault
    reply = ask(gateway)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert isinstance(reply.json()["detail"], str)
    assert "sk-provider" not in reply.text


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        ({}, {}, 400, "invalid_request"),
        ({"prompt": ""}, {}, 400, "invalid_request"),
        ({"prompt": 7}, {}, 400, "invalid_request"),
        (["hello"], {}, 400, "invalid_request"),
        ({"prompt": "hello"}, {"X-API-Key": "wrong"}, 401, "authentication"),
        ({"prompt": "hello"}, {"X-API-Key": ""}, 401, "authentication"),
    ],
)
def test_failure_modes_of_clients(
    gateway: Gateway, simulator: Simulator, body: Any, headers: Any, status: int, code: str
) -> None:
    """A client's own faults are told before any provider is asked."""
    reply = ask(gateway, body, headers)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert reply.json()["detail"]
    assert simulator.total == 0


def test_unexpected_errors(gateway: Gateway) -> None:
    """What nobody foresaw is a 500 that tells nothing of the inside."""

    class Broken:
        def request(self, flow: object) -> None:
            raise ZeroDivisionError("inside")

    master = gateway.master
    gateway.call(lambda: master.hooks.rebuild([*master.addons.chain, Broken()]))
    reply = ask(gateway)
    assert (reply.status_code, reply.json()["code"]) == (500, "internal")
    assert "inside" not in reply.text
