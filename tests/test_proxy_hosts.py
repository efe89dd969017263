"""Which hosts are LLM APIs, and what their paths are on the gateway."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from llmitm.proxy_hosts import LlmHosts, gateway_path, llm_hosts


def hosts(*extra: str, **urls: str) -> LlmHosts:
    providers = {name: SimpleNamespace(base_url=url) for name, url in urls.items()}
    intercept = SimpleNamespace(hosts=extra)
    gateway: Any = SimpleNamespace(providers=providers, intercept=intercept)
    return llm_hosts(gateway, {})


FOUND = [
    ("api.openai.com", 443),
    ("API.OpenAI.com.", 443),
    ("team.openai.azure.com", 443),
    ("localhost", 11434),
    ("llm.corp", 1),
    ("a.models.corp", 443),
    ("here.corp", 8000),
    ("mine.example", 8443),
]
NOT_FOUND = [
    ("openai.com", 443),
    ("api.openai.com.evil.example", 443),
    ("localhost", 80),
    ("here.corp", 443),
    ("mine.example", 443),
    ("", 443),
    (None, 443),
]


@pytest.mark.parametrize(("name", "port"), FOUND)
def test_llm_hosts(name: str, port: int) -> None:
    """Well-known hosts, those of the providers, and those that are configured."""
    known = hosts("llm.corp", "*.models.corp", "here.corp:8000", x="https://mine.example:8443/v1")
    assert known.find(name, port)


@pytest.mark.parametrize(("name", "port"), NOT_FOUND)
def test_other_hosts(name: str | None, port: int) -> None:
    """A name that only contains one, or another port."""
    known = hosts("llm.corp", "*.models.corp", "here.corp:8000", x="https://mine.example:8443/v1")
    assert known.find(name, port) is None


GEMINI = "generativelanguage.googleapis.com"
PATHS = [
    ("api.openai.com", "/v1/chat/completions", "/v1/chat/completions"),
    ("api.openai.com", "/v1/files?limit=2", "/v1/files?limit=2"),
    ("api.anthropic.com", "/v1/messages", "/v1/messages"),
    (
        "generativelanguage.googleapis.com",
        "/v1beta/openai/chat/completions",
        "/v1/chat/completions",
    ),
    ("generativelanguage.googleapis.com", "/v1beta/models/x:generateContent", None),
    ("api.groq.com", "/openai/v1/models", "/v1/models"),
    ("openrouter.ai", "/api/v1/chat/completions", "/v1/chat/completions"),
    ("api.deepseek.com", "/chat/completions", "/v1/chat/completions"),
    ("api.deepseek.com", "/v1/chat/completions", "/v1/chat/completions"),
    ("api.deepseek.com", "/anthropic/v1/messages", "/anthropic/v1/messages"),
    ("mine.example", "/deep/down/v2/chat/completions", "/v1/chat/completions"),
    ("mine.example", "/deep/down/v2", "/v1"),
    ("mine.example", "/deep/down/v20/x", None),
]


@pytest.mark.parametrize(("name", "path", "expected"), PATHS)
def test_paths(name: str, path: str, expected: str | None) -> None:
    """What a host's paths begin with is /v1 here; any other path stays as it is."""
    host = hosts(x="https://mine.example/deep/down/v2").find(name, 443)
    assert host is not None
    assert gateway_path(path, host) == (path if expected is None else expected)


def test_ollama() -> None:
    """Ollama's own paths stay, its compatible ones too."""
    host = hosts().find("localhost", 11434)
    assert host is not None
    assert gateway_path("/api/chat", host) == "/api/chat"
    assert gateway_path("/v1/chat/completions", host) == "/v1/chat/completions"
