from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import pytest

from llmitm.config.load import Loaded, load
from llmitm.config.problems import ConfigErrors


def loaded(**env: str) -> Loaded:
    return load(None, {"HOME": "/home/ava", **env})


def target(found: Loaded, model: str) -> list[str]:
    route = found.policies.route_for(model)
    return [t.name for t in route.targets] if route else []


def test_nothing_at_all_is_the_simulator() -> None:
    """Without a single variable the gateway answers by itself, on loopback, to anyone there."""
    found = loaded()
    gateway = found.gateway
    assert {name: p.api for name, p in gateway.providers.items()} == {"simulator": "simulator"}
    assert target(found, "gpt-4o") == ["simulator/*"]
    assert (gateway.auth, gateway.policies) == ("anonymous", None)
    assert gateway.listen.gateway.is_loopback
    assert gateway.listen.admin.is_loopback
    assert (found.policies.keys, found.warnings, found.files) == ((), (), ())


@pytest.mark.parametrize(
    ("env", "directory"),
    [
        ({}, "/home/ava/.local/share/llmitm"),
        ({"XDG_DATA_HOME": "/data"}, "/data/llmitm"),
        ({"XDG_DATA_HOME": "/data", "LLMITM_DATA_DIR": "/var/lib/llmitm"}, "/var/lib/llmitm"),
    ],
)
def test_ledger_is_in_the_data_directory(env: Any, directory: str) -> None:
    """The ledger lies where the user's data lies."""
    assert loaded(**env).gateway.store.ledger == f"sqlite:///{directory}/llmitm.db"


@pytest.mark.parametrize(
    ("env", "model", "expected"),
    [
        ({"OPENAI_API_KEY": "k"}, "gpt-4o", ["openai/*"]),
        ({"OPENAI_API_KEY": "k"}, "o3-mini", ["openai/*"]),
        ({"OPENAI_API_KEY": "k"}, "text-embedding-3-small", ["openai/*"]),
        ({"OPENAI_API_KEY": "k"}, "llama3", []),
        ({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://vllm:8000/v1"}, "llama3", ["openai/*"]),
        ({"ANTHROPIC_API_KEY": "k"}, "claude-sonnet-4-5", ["anthropic/*"]),
        ({"GEMINI_API_KEY": "k"}, "gemini-2.5-pro", ["gemini/*"]),
        ({"OLLAMA_URL": "http://h:1"}, "gpt-4o", ["ollama/*"]),
        ({"OLLAMA_URL": "http://h:1", "OPENAI_API_KEY": "k"}, "gpt-4o", ["openai/*"]),
        ({"OLLAMA_URL": "http://h:1", "OPENAI_API_KEY": "k"}, "llama3", ["ollama/*"]),
        ({"OPENAI_API_KEY": "k", "OPENAI_MODEL": "mine"}, "mine", ["openai/*"]),
        ({"LLM_BASE_URL": "http://h:1", "LLM_MODEL": "openai/gpt-4o"}, "openai/gpt-4o", ["llm/*"]),
        ({"LLM_BASE_URL": "http://h:1"}, "anything", ["llm/*"]),
        ({"WORKER_ADDRESSES": "a:1, b:2"}, "llama3.2", ["worker-0/*", "worker-1/*"]),
    ],
)
def test_routes_usual_models(env: Any, model: str, expected: Any) -> None:
    """Models go to the provider that has them, the rest to what takes any."""
    assert target(loaded(**env), model) == expected


@pytest.mark.parametrize(
    ("variable", "value", "url"),
    [
        ("OLLAMA_URL", "http://ollama:11434/", "http://ollama:11434"),
        ("OLLAMA_HOST", "0.0.0.0", "http://127.0.0.1:11434"),
        ("OLLAMA_HOST", "0.0.0.0:1234", "http://127.0.0.1:1234"),
        ("OLLAMA_HOST", "ollama", "http://ollama:11434"),
        ("OLLAMA_HOST", ":1234", "http://127.0.0.1:1234"),
        ("OLLAMA_HOST", "https://ollama.example.com", "https://ollama.example.com"),
    ],
)
def test_ollama(variable: str, value: str, url: str) -> None:
    """Ollama is found by URL, or by what it was told to listen on."""
    assert loaded(**{variable: value}).gateway.providers["ollama"].base_url == url


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("https://proxy.example.com", "https://proxy.example.com/v1"),
        ("https://proxy.example.com/", "https://proxy.example.com/v1"),
        ("https://proxy.example.com/openai", "https://proxy.example.com/openai"),
    ],
)
def test_own_server_has_the_usual_version(value: str, url: str) -> None:
    """A base URL without a path means OpenAI's /v1."""
    provider = loaded(LLM_BASE_URL=value, LLM_API_KEY="k", LLM_MODEL="m").gateway.providers["llm"]
    assert (provider.base_url, provider.default_model) == (url, "m")
    assert provider.api_key is not None


def test_workers_take_turns() -> None:
    """Worker addresses are targets of one route in turn."""
    found = loaded(WORKER_ADDRESSES="a:1,http://b:2,")
    route = found.policies.route_for("llama3.2")
    assert route is not None
    assert route.strategy == "round_robin"
    assert [p.base_url for p in found.gateway.providers.values()] == ["http://a:1", "http://b:2"]


def test_clients_keys() -> None:
    """API_KEYS are the keys, each once, and make one required."""
    found = loaded(API_KEYS="one, two,one,")
    assert found.gateway.auth == "required"
    assert [(key.id, key.digest) for key in found.policies.keys] == [
        ("env-1", hashlib.sha256(b"one").hexdigest()),
        ("env-2", hashlib.sha256(b"two").hexdigest()),
    ]
    assert found.warnings == ()


def test_prices() -> None:
    """Costs per 1,000 tokens are prices per million of the model, exactly."""
    found = loaded(
        OPENAI_API_KEY="k",
        OPENAI_INPUT_COST_PER_1K="0.0015",
        OPENAI_OUTPUT_COST_PER_1K="0.002",
        GEMINI_API_KEY="k",
        GEMINI_MODEL="gemini-x",
        GEMINI_OUTPUT_COST_PER_1K="1",
    )
    assert [
        (p.provider, p.model, p.input_per_million, p.output_per_million)
        for p in found.policies.prices
    ] == [
        ("openai", "gpt-3.5-turbo", Decimal("1.5"), Decimal(2)),
        ("gemini", "gemini-x", Decimal(0), Decimal(1000)),
    ]


def test_price_without_provider_is_left_out() -> None:
    """A price of a provider that is not there does no harm."""
    assert loaded(OPENAI_INPUT_COST_PER_1K="1").policies.prices == ()


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        (
            {"OPENAI_BASE_URL": "example.com"},
            "OPENAI_BASE_URL: must be a URL, not '${OPENAI_BASE_URL}'",
        ),
        (
            {"OPENAI_BASE_URL": "http://127.0.0.1:4000/v1"},
            "OPENAI_BASE_URL: points back to listen.gateway of this gateway",
        ),
        (
            {"OPENAI_API_KEY": "k", "OPENAI_INPUT_COST_PER_1K": "cheap"},
            "OPENAI_INPUT_COST_PER_1K: must be a number, not 'cheap'",
        ),
        ({"WORKER_ADDRESSES": "a b:1"}, "WORKER_ADDRESSES: must be a URL"),
        (
            {"HTTP_PORT": "4001"},
            "listen.admin: 127.0.0.1:4001 is taken by listen.gateway (HTTP_PORT)",
        ),
    ],
)
def test_problems_name_the_variable(env: Any, problem: str) -> None:
    """What is wrong with a variable is said with its name."""
    with pytest.raises(ConfigErrors) as caught:
        loaded(**env)
    (found,) = map(str, caught.value.problems)
    assert found.startswith(f"environment: {problem}")


def test_secrets_stay_secret() -> None:
    """Neither the records nor the problems show a key."""
    env = {"OPENAI_API_KEY": "sk-canary", "API_KEYS": "canary-1", "LLM_API_KEY": "canary"}
    found = loaded(**env, LLM_BASE_URL="https://example.com")
    assert "canary" not in repr(found)
    with pytest.raises(ConfigErrors) as caught:
        loaded(**env, HTTP_PORT="x")
    assert "canary" not in str(caught.value)
