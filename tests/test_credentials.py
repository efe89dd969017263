"""The headers that show a provider who asks."""

from __future__ import annotations

from typing import Any

import pytest

from llmitm.config.schema import Provider
from llmitm.credentials import credential_headers


@pytest.mark.parametrize(
    ("provider", "headers"),
    [
        ({"api": "openai"}, {}),
        ({"api": "openai", "api_key": "sk"}, {"authorization": "Bearer sk"}),
        ({"api": "gemini", "api_key": "sk"}, {"authorization": "Bearer sk"}),
        ({"api": "anthropic", "api_key": "sk"}, {"x-api-key": "sk"}),
        (
            {"api": "openai", "api_key": "sk", "headers": {"Authorization": "Own", "X-Team": "a"}},
            {"authorization": "Own", "x-team": "a"},
        ),
    ],
)
def test_headers(provider: dict[str, Any], headers: dict[str, str]) -> None:
    """The credential where the API looks for it; the configured headers win."""
    assert credential_headers(Provider.model_validate(provider)) == headers
