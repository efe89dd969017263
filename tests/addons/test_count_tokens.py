"""Counting a prompt's tokens: by the provider where it can, else here."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mitmproxy import http

from addons.count_tokens import CountTokens
from llmitm.call import Target, call_of
from tests.support.stage import URL, Stage, flow_of

PROVIDERS: dict[str, Any] = {
    "openai": {"api": "openai", "base_url": f"{URL}/v1"},
    "gemini": {"api": "gemini", "base_url": f"{URL}/v1"},
    "claude": {"api": "anthropic", "base_url": URL},
    "local": {"api": "ollama", "base_url": URL},
    "plain": {"api": "openai", "base_url": f"{URL}/v1", "responses": False},
    "sim": {"api": "simulator", "base_url": URL},
}
MESSAGES = {"model": "m", "messages": [{"role": "user", "content": "hello world"}]}
INPUT = {"model": "m", "input": "hello world"}
CLAUDES, OPENAIS = "/v1/messages/count_tokens", "/v1/responses/input_tokens"


@pytest.fixture
def counting(stage: Stage) -> CountTokens:
    stage.configure(
        {"routes": {"routes": [{"model": "*", "targets": [{"provider": "sim"}]}]}},
        {"providers": PROVIDERS},
    )
    return CountTokens()


async def ask(
    addon: CountTokens, path: str, body: dict[str, Any], *providers: str
) -> http.HTTPFlow:
    flow = flow_of(path, body)
    call = call_of(flow)
    call.model = "m"
    call.plan = tuple(Target(name) for name in providers)
    await addon.request(flow)
    return flow


@pytest.mark.parametrize("provider", ["openai", "gemini", "local"])
async def test_claudes_own_count(counting: CountTokens, provider: str) -> None:
    """Claude Code gets a number whoever serves its model."""
    flow = await ask(counting, CLAUDES, MESSAGES, provider)
    assert flow.response is not None
    answer = json.loads(flow.response.content or b"")
    assert list(answer) == ["input_tokens"]
    assert 2 <= answer["input_tokens"] <= 15


@pytest.mark.parametrize("provider", ["claude", "local", "gemini", "plain"])
async def test_openais_own_count(counting: CountTokens, provider: str) -> None:
    """The same for OpenAI's clients."""
    flow = await ask(counting, OPENAIS, INPUT, provider)
    assert flow.response is not None
    answer = json.loads(flow.response.content or b"")
    assert answer["object"] == "response.input_tokens"
    assert 2 <= answer["input_tokens"] <= 15


async def test_more_words_are_more_tokens(counting: CountTokens) -> None:
    """System prompt, tools and messages count."""
    more = {
        **MESSAGES,
        "system": "You are terse.",
        "tools": [{"name": "look_up", "input_schema": {"type": "object"}}],
    }
    few = await ask(counting, CLAUDES, MESSAGES, "openai")
    many = await ask(counting, CLAUDES, more, "openai")
    assert few.response is not None and many.response is not None
    assert json.loads(many.response.content or b"")["input_tokens"] > (
        json.loads(few.response.content or b"")["input_tokens"] + 8
    )


@pytest.mark.parametrize(
    ("path", "body", "providers", "left"),
    [
        (CLAUDES, MESSAGES, ["claude"], ["claude"]),
        (CLAUDES, MESSAGES, ["openai", "claude", "sim"], ["claude", "sim"]),
        (OPENAIS, INPUT, ["local", "openai"], ["openai"]),
    ],
)
async def test_who_can_is_asked(
    counting: CountTokens, path: str, body: Any, providers: list[str], left: list[str]
) -> None:
    """A provider that counts itself knows better; the others aren't asked."""
    flow = await ask(counting, path, body, *providers)
    assert flow.response is None
    assert [target.provider for target in call_of(flow).plan] == left


async def test_other_calls_pass(counting: CountTokens) -> None:
    """Nothing but the two counting paths is answered."""
    flow = await ask(counting, "/v1/messages", MESSAGES, "openai")
    assert flow.response is None
    assert len(call_of(flow).plan) == 1
