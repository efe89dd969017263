from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from llmitm.config.providers import BASE_URLS, Provider, hidden
from llmitm.config.secret import Secret


@pytest.mark.parametrize(
    ("api", "url", "dialect"),
    [
        ("openai", "https://api.openai.com/v1", "openai"),
        ("anthropic", "https://api.anthropic.com", "anthropic"),
        ("gemini", "https://generativelanguage.googleapis.com/v1beta/openai", "openai"),
        ("ollama", "http://127.0.0.1:11434", "ollama"),
        ("simulator", None, None),
    ],
)
def test_usual_url_and_dialect(api: str, url: str | None, dialect: str | None) -> None:
    """Each API has its usual URL and dialect; the simulator speaks all and is built in."""
    provider = Provider.model_validate({"api": api})
    assert (provider.base_url, provider.dialect) == (url, dialect)
    assert Provider.model_validate({"api": api, "base_url": None}).base_url == url
    assert BASE_URLS.get(api) == url


@pytest.mark.parametrize(
    ("api", "said", "has"),
    [
        ("openai", None, True),
        ("ollama", None, True),
        ("gemini", None, False),
        ("openai", False, False),
        ("gemini", True, True),
    ],
)
def test_whether_it_has_the_responses_api(api: str, said: bool | None, has: bool) -> None:
    """Where nothing is said, the vendor's own API is known."""
    assert Provider.model_validate({"api": api, "responses": said}).has_responses is has


def test_headers_and_key() -> None:
    """Headers are lower-case; the key is a secret."""
    provider = Provider.model_validate(
        {"api": "openai", "api_key": "sk-1", "headers": {"OpenAI-Organization": "org-1"}}
    )
    assert provider.headers == {"openai-organization": "org-1"}
    assert provider.api_key == Secret("sk-1")


@pytest.mark.parametrize("headers", [{"a b": "x"}, {"": "x"}, {"x": "a\nb"}, {"x": 5}])
def test_refuses_headers(headers: Any) -> None:
    """What cannot be sent as a header is refused."""
    with pytest.raises(ValidationError):
        Provider.model_validate({"api": "openai", "headers": headers})


@pytest.mark.parametrize(
    ("secrets", "left"),
    [
        ((b"sk-secret-1", b"sk-secret-2"), b"invalid key: ***** at text/event-stream"),
        ((b"x", b"text"), b"invalid key: sk-secret-1 at text/event-stream"),
        ((), b"invalid key: sk-secret-1 at text/event-stream"),
    ],
)
def test_hidden(secrets: tuple[bytes, ...], left: bytes) -> None:
    """A credential that a provider repeats is masked; a dummy key is no credential."""
    assert hidden(b"invalid key: sk-secret-1 at text/event-stream", secrets) == left
