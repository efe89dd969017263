"""Which targets a call may be answered by."""

from __future__ import annotations

from typing import Any

import pytest
from mitmproxy import http

from addons.router import Router
from llmitm.call import Call, call_of
from llmitm.errors import Cause, GatewayError
from tests.support.stage import URL, Stage, flow_of

PROVIDERS: dict[str, Any] = {
    "openai": {"api": "openai", "base_url": f"{URL}/v1"},
    "azure": {"api": "openai", "base_url": f"{URL}/azure/v1", "default": True},
    "claude": {"api": "anthropic", "base_url": URL},
    "local": {"api": "ollama", "base_url": URL},
}
ROUTES: dict[str, Any] = {
    "routes": [
        {
            "model": "gpt-4o",
            "targets": [{"provider": "openai"}, {"provider": "local", "model": "llama"}],
            "resilience": {"attempts": 7},
        },
        {"model": "gpt-*", "targets": [{"provider": "azure"}]},
    ]
}


@pytest.fixture
def router(stage: Stage) -> Router:
    stage.configure({"routes": ROUTES}, {"providers": PROVIDERS})
    return Router()


def routed(router: Router, path: str, model: str | None = None, **more: Any) -> Call:
    flow = flow_of(path, **more)
    call = call_of(flow)
    call.model = model
    router.request(flow)
    return call


def test_plan(router: Router) -> None:
    """A model's route gives the targets in order, its name and its resilience."""
    call = routed(router, "/v1/chat/completions", "gpt-4o")
    assert [target.name for target in call.plan] == ["openai/*", "local/llama"]
    assert (call.route, call.resilience.retry.attempts) == ("gpt-4o", 7)
    other = routed(router, "/v1/chat/completions", "gpt-5")
    assert ([t.name for t in other.plan], other.route) == (["azure/*"], "gpt-*")


def test_the_client_may_name_a_provider_of_the_route(router: Router) -> None:
    """Its targets are asked first."""
    flow = flow_of("/v1/chat/completions")
    call = call_of(flow)
    call.model, call.provider = "gpt-4o", "local"
    router.request(flow)
    assert [target.provider for target in call.plan] == ["local", "openai"]


def test_unknown_model(router: Router) -> None:
    """A model without a route doesn't exist."""
    with pytest.raises(GatewayError) as caught:
        routed(router, "/v1/chat/completions", "claude-3")
    assert (caught.value.cause, caught.value.param) == (Cause.UNKNOWN_MODEL, "model")


@pytest.mark.parametrize(
    ("path", "provider"),
    [("/v1/files", "azure"), ("/v1/messages/batches", "claude"), ("/api/copy", "local")],
)
def test_no_model(router: Router, path: str, provider: str) -> None:
    """A call that names none goes to its dialect's default provider."""
    call = routed(router, path)
    assert [target.name for target in call.plan] == [f"{provider}/*"]
    assert call.route is None
    assert call.resilience is not None


def test_pulling_a_model_without_a_route(router: Router) -> None:
    """A model that is yet to be pulled has no route: the default provider gets the call."""
    call = routed(router, "/api/pull", "new-model")
    assert [target.name for target in call.plan] == ["local/*"]
    assert call.plan[0].model_for(call.model or "") == "new-model"


def test_no_provider_of_the_dialect(router: Router, stage: Stage) -> None:
    """Where nobody speaks the dialect there is nothing at that path."""
    only = {"openai": PROVIDERS["openai"]}
    routes = {"routes": [{"model": "*", "targets": [{"provider": "openai"}]}]}
    stage.configure({"routes": routes}, {"providers": only})
    with pytest.raises(GatewayError) as caught:
        routed(router, "/v1/messages/batches")
    assert caught.value.cause is Cause.UNKNOWN_MODEL
    assert "/v1/messages/batches" in caught.value.message


def test_answered_flows_pass(router: Router) -> None:
    """What has its answer needs no plan."""
    flow = flow_of("/v1/chat/completions")
    flow.response = http.Response.make(200)
    router.request(flow)
    assert call_of(flow).plan == ()
