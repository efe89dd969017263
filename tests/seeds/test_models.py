from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from llmitm.call import Principal, Target
from llmitm.config.load import Loaded
from llmitm.config.routes import Route
from llmitm.config.schema import Key
from llmitm.errors import Cause, GatewayError
from llmitm.seeds.models import Choice, choice_of, default_choice
from tests.seeds.live import live, loaded

OLLAMA = {"OLLAMA_URL": "http://ollama:11434"}
OPENAI = {"OPENAI_API_KEY": "k"}
GEMINI = {"GEMINI_API_KEY": "k"}


def routed(*routes: Route, **env: str) -> Loaded:
    """The configuration of `env` with these routes instead of its own."""
    found = loaded(**env)
    return replace(found, policies=replace(found.policies, routes=routes))


def may(*models: str) -> Principal:
    key = Key.model_validate({"id": "k", "key": "sk-123456789", "models": list(models)})
    return Principal("k", policy=key)


@pytest.mark.parametrize(
    ("env", "usual", "expected"),
    [
        ({}, None, "sim-small"),
        ({}, "llama3", "llama3"),
        (OLLAMA, None, "llama3.2"),
        (OLLAMA, "llama3", "llama3"),
        ({**OLLAMA, "LLM_MODEL": "mistral"}, "llama3", "mistral"),
        (OPENAI, None, "gpt-3.5-turbo"),
        (OPENAI, "llama3", "gpt-3.5-turbo"),
        ({**OPENAI, "OPENAI_MODEL": "gpt-4o"}, "llama3", "gpt-4o"),
        ({**OPENAI, "OPENAI_MODEL": "gpt-4o", "LLM_MODEL": "gpt-5"}, None, "gpt-5"),
        ({**OPENAI, "LLM_MODEL": "llama3"}, None, "gpt-3.5-turbo"),
        (GEMINI, None, "gemini-2.0-flash-exp"),
        ({**OLLAMA, **OPENAI}, "llama3", "llama3"),
        ({"ANTHROPIC_API_KEY": "k", "ANTHROPIC_MODEL": "claude-x"}, None, "claude-x"),
    ],
)
def test_likeliest_model(env: dict[str, str], usual: str | None, expected: str) -> None:
    """What is set wins, then what the seed's document names, then what a provider likely has."""
    assert default_choice(live(loaded(**env), env=env), None, usual) == Choice(expected)


def test_first_route() -> None:
    """The first route with a name of its own is meant; a pattern says what its targets have."""
    fast = Route("fast", (Target("ollama", "phi3"),))
    pattern = Route("tiny-*", (Target("ollama", "tiny-1"),))
    assert default_choice(live(routed(pattern, fast, **OLLAMA)), None).model == "fast"
    assert default_choice(live(routed(pattern, **OLLAMA)), None).model == "tiny-1"


def test_keys_models() -> None:
    """A key is given a model that it may use, and refused where it may use none."""
    fast = Route("fast", (Target("ollama"),))
    slow = Route("slow", (Target("ollama"),))
    found = live(routed(fast, slow, **OLLAMA))
    assert default_choice(found, may("sl*")).model == "slow"
    with pytest.raises(GatewayError) as caught:
        default_choice(found, may("other"))
    assert caught.value.cause is Cause.PERMISSION


def test_no_model() -> None:
    """Where nothing says which model, the operator is told what to set."""
    found = live(routed(Route("none-*", (Target("ollama"),)), **OLLAMA))
    with pytest.raises(GatewayError, match="LLM_MODEL") as caught:
        default_choice(found, None)
    assert caught.value.status("openai") == 503


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("openai", None, Choice("gpt-3.5-turbo", "openai")),
        ("openai", "gpt-4o", Choice("gpt-4o", "openai")),
        ("gemini", None, Choice("gemini-2.0-flash-exp", "gemini")),
        ("ollama", None, Choice("llama3.2", "ollama")),
        ("ollama", "mistral", Choice("mistral", "ollama")),
    ],
)
def test_provider_by_name(provider: str, model: str | None, expected: Choice) -> None:
    """A provider is asked for its own model, or the one that the client names."""
    assert choice_of(live(loaded(**OLLAMA, **OPENAI, **GEMINI)), None, provider, model) == expected


def test_provider_by_api() -> None:
    """A provider of another name is found by its API."""
    found = loaded(WORKER_ADDRESSES="a:1,b:2")
    assert choice_of(live(found), None, "ollama", None) == Choice("llama3.2", "worker-0")


def test_provider_in_a_route() -> None:
    """A route that lists the provider will do, under its own name or its target's."""
    fast = Route("fast", (Target("openai", "gpt-4o-mini"), Target("ollama", "phi3")))
    found = live(routed(fast, **OLLAMA, **OPENAI))
    assert choice_of(found, None, "ollama", None) == Choice("fast", "ollama")
    pattern = Route("phi*", (Target("ollama", "phi3"),))
    found = live(routed(pattern, **OLLAMA))
    assert choice_of(found, None, "ollama", None) == Choice("phi3", "ollama")


@pytest.mark.parametrize(
    ("provider", "model", "who", "problem"),
    [
        ("nobody", None, None, "There are: openai, ollama"),
        ("openai", "llama3", None, "'llama3'"),
        ("openai", None, may("llama*"), "default_model"),
    ],
)
def test_no_provider(provider: str, model: str | None, who: Any, problem: str) -> None:
    """What leads nowhere is refused with what there is."""
    with pytest.raises(GatewayError) as caught:
        choice_of(live(loaded(**OPENAI, **OLLAMA)), who, provider, model)
    assert caught.value.param == "provider"
    assert problem in caught.value.message
