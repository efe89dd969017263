"""The most a call can cost, or why nobody knows."""

from __future__ import annotations

from typing import Any

import pytest

from llmitm.call import Call, Target
from llmitm.config.schema import Price, Provider
from llmitm.cost_bound import USUAL_CONTEXT, CostBound, cost_bound
from llmitm.errors import Cause, GatewayError
from llmitm.prices import PriceBook
from tests.support.stage import call_and_flow

PROVIDERS = {
    "openai": Provider(api="openai", base_url="https://api.openai.com/v1"),  # type: ignore[arg-type]
    "anthropic": Provider(api="anthropic", base_url="https://api.anthropic.com"),  # type: ignore[arg-type]
    "sim": Provider(api="simulator"),  # type: ignore[arg-type]
    "house": Provider(api="openai", base_url="http://127.0.0.1:9"),  # type: ignore[arg-type]
}
BOOK = PriceBook(
    [Price.model_validate({"provider": "house", "model": "known", "input_per_million": 1,
                           "output_per_million": 2, "output_audio_per_million": 20})],
    PROVIDERS,
)  # fmt: skip
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1000}


def bound(
    *targets: Target,
    body: dict[str, Any] = CHAT,
    path: str = "/v1/chat/completions",
    method: str = "POST",
) -> tuple[CostBound | None, Call, Any]:
    call, flow = call_and_flow(path, body, method=method)
    call.plan = targets
    call.model = targets[0].model
    return cost_bound(flow, call, BOOK, 500), call, flow


def usd(*targets: Target, **kwargs: Any) -> float:
    found, *_ = bound(*targets, **kwargs)
    assert found is not None
    return found.of_call() / 1e9


def test_prompt_and_output() -> None:
    """Every byte a token in, and as many out as the request allows."""
    found, _, flow = bound(Target("house", "known"))
    assert found is not None
    prompt = len(flow.request.raw_content) + 32
    assert (found.prompt, found.output) == (prompt, 1000)
    assert found.of_call() == prompt * 1000 + 1000 * 2000
    assert found.of_call(10) == 10 * 1000 + 1000 * 2000
    assert found.of_resumption(Target("house", "known")) == (prompt + 1000) * 1000 + 2_000_000


def test_the_dearest_of_the_plan() -> None:
    """And of the service tiers it may be served in."""
    cheap, dear = Target("openai", "gpt-4o-mini"), Target("openai", "gpt-4o")
    assert usd(cheap, dear) == usd(dear) > usd(cheap)
    gpt = Target("openai", "gpt-5")
    tiers = [usd(gpt, body={**CHAT, "service_tier": tier}) for tier in ("flex", "priority", "auto")]
    assert tiers[1] == pytest.approx(tiers[2], rel=0.01)
    assert tiers[1] > 1.9 * tiers[0]


def test_what_makes_a_token_dearer() -> None:
    """Writing a cache, and audio, where the request has them."""
    claude = Target("anthropic", "claude-sonnet-4-5")
    part = {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    cached = [{"role": "user", "content": [part]}]
    plain = usd(claude, body={**CHAT, "max_tokens": 1}, path="/v1/messages")
    body = {"messages": cached, "max_tokens": 1}
    assert usd(claude, body=body, path="/v1/messages") > 2 * plain
    audio = Target("house", "known")
    assert usd(audio, body={**CHAT, "modalities": ["text", "audio"]}) > 5 * usd(audio)


def test_a_prompt_that_the_provider_keeps() -> None:
    """May fill the target's context, or a usual one."""
    body = {"input": "hi", "previous_response_id": "resp_1", "max_output_tokens": 10}
    for target, context in (
        (Target("house", "known"), USUAL_CONTEXT),
        (Target("house", "known", context=8000), 8000),
    ):
        found, *_ = bound(target, body=body, path="/v1/responses")
        assert found is not None
        assert found.hidden == context
        assert found.of_call(10) == (10 + context) * 1000 + 10 * 2000


def test_an_unstated_maximum_is_put_into_the_request() -> None:
    """So that it is kept to."""
    found, call, flow = bound(Target("house", "known"), body={"messages": []})
    assert found is not None
    assert found.output == 500
    assert call.body(flow) == {"messages": [], "max_completion_tokens": 500}


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/v1/models", "GET"),
        ("/v1/files", "POST"),
        ("/v1/messages/count_tokens", "POST"),
        ("/v1/batches/batch_1", "GET"),
    ],
)
def test_what_providers_make_no_charge_for(path: str, method: str) -> None:
    """Needs no price."""
    found, *_ = bound(Target("house", "unknown"), path=path, method=method)
    assert found is None


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/images/generations", "/v1/batches", "/api/pull"]
)
def test_what_is_free(path: str) -> None:
    """A price of zero is enough, whatever the operation."""
    found, *_ = bound(Target("sim", "m"), path=path)
    assert found is None


@pytest.mark.parametrize(
    ("target", "path", "code"),
    [
        (Target("house", "unknown"), "/v1/chat/completions", "model_not_priced"),
        (Target("house", "*"), "/v1/batches", "model_not_priced"),
        (Target("house", "known"), "/v1/images/generations", "cost_unknown"),
        (Target("openai", "gpt-4o"), "/v1/audio/speech", "cost_unknown"),
    ],
)
def test_what_nobody_knows(target: Target, path: str, code: str) -> None:
    """Is refused, with the file in which a price would make it known."""
    with pytest.raises(GatewayError) as caught:
        bound(Target("sim", "m"), target, path=path)
    assert (caught.value.cause, caught.value.code) == (Cause.PERMISSION, code)
    assert "policies/prices.yaml" in caught.value.message


def test_a_realtime_session_is_no_reading() -> None:
    """Although it begins with GET."""
    with pytest.raises(GatewayError):
        bound(Target("openai", "gpt-realtime"), path="/v1/realtime", method="GET")
