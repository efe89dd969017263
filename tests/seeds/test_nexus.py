from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from llmitm.errors import GatewayError
from llmitm.seeds.nexus import GENERATE, is_nexus
from tests.seeds.answered import ANSWERED


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"user_id": "u", "prompt": "hi"}, True),
        ({"provider": "openai", "prompt": "hi"}, True),
        ({"model": "llama3", "prompt": "hi", "stream": False}, False),
        ({}, False),
        (None, False),
    ],
)
def test_told_apart_from_ollama(body: Any, expected: bool) -> None:
    """A body with a user or a provider is this seed's, any other is Ollama's."""
    assert is_nexus(body) is expected


def test_request() -> None:
    """User and provider stay here; the rest goes to the model."""
    body = {"user_id": "u", "prompt": "hi", "provider": "openai"}
    assert GENERATE.chat(body) == {"messages": [{"role": "user", "content": "hi"}]}
    more = {"temperature": 0.7, "max_tokens": 128, "model": "m"}
    assert GENERATE.chat({**body, **more}).items() >= more.items()
    assert GENERATE.registered


@pytest.mark.parametrize("missing", ["user_id", "prompt"])
def test_request_needs(missing: str) -> None:
    """Without a user or a prompt there is no request."""
    body = {"user_id": "u", "prompt": "hi"}
    del body[missing]
    with pytest.raises(GatewayError, match=missing):
        GENERATE.chat(body)


def test_answer() -> None:
    """The answer is the document's, field by field."""
    assert GENERATE.answer(ANSWERED) == {
        "content": ANSWERED.text,
        "provider_used": "worker-0",
        "processing_time_ms": 523,
        "usage": {
            "prompt_tokens": 12,
            "completion_tokens": 42,
            "total_tokens": 54,
            "cost_usd": Decimal("0.00007"),
        },
    }


def test_unknown_cost_is_left_out() -> None:
    """Without a price there are token counts and no cost."""
    assert "cost_usd" not in GENERATE.answer(replace(ANSWERED, cost_usd=None))["usage"]
