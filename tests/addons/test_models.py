"""What the gateway answers itself: its models, one model, Ollama's greeting and version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from mitmproxy import http

from addons.models import Models
from llmitm.call import Principal, call_of
from llmitm.errors import Cause, GatewayError
from tests.support.gateway import KEY, Starter
from tests.support.stage import URL, Stage, flow_of

PROVIDERS: dict[str, Any] = {
    "openai": {"api": "openai", "base_url": "https://api.openai.com/v1"},
    "claude": {"api": "anthropic", "base_url": "https://api.anthropic.com"},
    "local": {"api": "ollama", "base_url": URL},
}
ROUTES: dict[str, Any] = {
    "routes": [
        {"model": "gpt-4o", "targets": [{"provider": "openai"}]},
        {"model": "fast", "targets": [{"provider": "claude", "model": "claude-haiku-4-5"}]},
        {"model": "llama", "targets": [{"provider": "local"}]},
        {"model": "mixed", "targets": [{"provider": "openai"}, {"provider": "local"}]},
        {"model": "gpt-*", "targets": [{"provider": "openai", "model": "gpt-4.1"}]},
        {"model": "o*", "targets": [{"provider": "claude", "model": "claude-haiku-4-5"}]},
    ]
}
KEYS = {
    "keys": [
        {"id": "dev", "key": "sk-1"},
        {"id": "gpts", "key": "sk-2", "models": ["gpt-*"]},
        {"id": "none", "key": "sk-3", "models": []},
    ]
}


@pytest.fixture
def models(stage: Stage) -> Models:
    stage.configure({"routes": ROUTES, "keys": KEYS}, {"providers": PROVIDERS}, upstream=None)
    return Models()


async def ask(
    models: Models, path: str, who: Principal | None = None, method: str = "GET", **more: Any
) -> http.Response | None:
    flow = flow_of(path, method=method, who=who, **more)
    if more.get("body"):
        call_of(flow).model = more["body"]["model"]
    await models.request(flow)
    return flow.response


def read(response: http.Response | None) -> Any:
    assert response is not None
    assert response.headers["content-type"] == "application/json"
    return json.loads(response.content or b"")


def names(path: str, answer: Mapping[str, Any]) -> list[str]:
    if path == "/api/tags":
        return [model["name"] for model in answer["models"]]
    return [model["id"] for model in answer["data"]]


ALL = ["gpt-4o", "fast", "llama", "mixed", "gpt-4.1"]


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/v1/models", {}), ("/v1/models", {"anthropic-version": "2023-06-01"}), ("/api/tags", {})],
)
@pytest.mark.parametrize(
    ("key", "expected"),
    [("dev", ALL), ("gpts", ["gpt-4o", "gpt-4.1"]), ("none", []), (None, ALL)],
)
async def test_lists_what_the_key_may_use(
    models: Models,
    stage: Stage,
    path: str,
    headers: dict[str, str],
    key: str | None,
    expected: list[str],
) -> None:
    """Each dialect's list has the models that the key may ask for by name.

    A pattern stands for those of its targets that it would route: "o*" has none.
    """
    who = stage.key(key) if key else None
    answer = read(await ask(models, path, who, headers=headers))
    assert names(path, answer) == expected


@pytest.mark.parametrize(
    ("key", "model", "there"),
    [
        ("dev", "gpt-4o", True),
        ("dev", "gpt-nowhere-listed", True),
        ("dev", "claude-3", False),
        ("gpts", "llama", False),
        ("gpts", "gpt-4o", True),
    ],
)
async def test_one_model(models: Models, stage: Stage, key: str, model: str, there: bool) -> None:
    """A model that has a route and that the key may use exists, any other does not."""
    path = f"/v1/models/{model}"
    if there:
        assert read(await ask(models, path, stage.key(key)))["id"] == model
        return
    with pytest.raises(GatewayError) as caught:
        await ask(models, path, stage.key(key))
    assert caught.value.cause is Cause.UNKNOWN_MODEL


async def test_ollamas_own_paths(models: Models) -> None:
    """Ollama's clients look for a greeting, for a version of Ollama, and for what is loaded."""
    greeting = await ask(models, "/")
    assert greeting is not None and greeting.text == "Ollama is running"
    version = read(await ask(models, "/api/version"))["version"]
    assert tuple(map(int, version.split("."))) >= (0, 6, 4)  # VS Code's least
    assert read(await ask(models, "/api/ps")) == {"models": []}


@pytest.mark.parametrize(
    ("model", "here"),
    [("gpt-4o", True), ("fast", True), ("llama", False), ("mixed", False), ("nowhere", False)],
)
async def test_show(models: Models, model: str, here: bool) -> None:
    """A model that no Ollama serves is described here; the others' own server knows better."""
    response = await ask(models, "/api/show", method="POST", body={"model": model})
    assert (response is not None) is here
    if here:
        assert "completion" in read(response)["capabilities"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/chat/completions"), ("DELETE", "/v1/models/ft:x"), ("GET", "/v1/files")],
)
async def test_the_rest_goes_on(models: Models, method: str, path: str) -> None:
    """What only providers know is asked of them."""
    assert await ask(models, path, method=method) is None


async def test_answered_flows_pass(models: Models) -> None:
    """An answer that is there stays."""
    flow = flow_of("/v1/models", method="GET")
    flow.response = answer = http.Response.make(401)
    await models.request(flow)
    assert flow.response is answer


def test_providers_say_what_they_have(starter: Starter) -> None:
    """Of a pattern that sends any model on, what the provider lists is listed."""
    _, url = starter.simulator(models=("sim-small", "gpt-sim", "other"))
    providers = {
        "sim": {"api": "simulator", "base_url": url},
        "chat": {"api": "openai", "base_url": f"{url}/v1"},
        "claude": {"api": "anthropic", "base_url": url},
        "local": {"api": "ollama", "base_url": url},
    }
    routes = [
        {"model": "sim-*", "targets": [{"provider": "sim"}]},
        {"model": "gpt-*", "targets": [{"provider": "chat"}, {"provider": "claude"}]},
        {"model": "oth*", "targets": [{"provider": "local"}]},
        {"model": "named", "targets": [{"provider": "sim", "model": "sim-small"}]},
    ]
    keys = [{"id": "dev", "key": KEY, "models": ["gpt-*", "other", "named"]}]
    gateway = starter.gateway(
        {"providers": providers}, {"routes": {"routes": routes}, "keys": {"keys": keys}}
    )
    reply = httpx.get(f"{gateway.url}/v1/models", headers={"x-api-key": KEY})
    assert names("/v1/models", reply.json()) == ["gpt-sim", "other", "named"]
