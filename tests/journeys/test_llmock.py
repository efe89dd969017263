"""llmock's verdict on the gateway as a caller: no finding for any fault it can script."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest
from llmock.pytest_plugin import LLMock

from tests.support.gateway import KEY, Gateway, Starter

FAULTS: list[tuple[str, Callable[[LLMock], Any]]] = [
    ("rate limit", lambda mock: mock.rate_limit(times=2, retry_after=0.5)),
    ("server error", lambda mock: mock.fail(500, times=2)),
    ("unavailable", lambda mock: mock.fail(503, times=2)),
    ("bad request", lambda mock: mock.fail(400, times=1)),
    ("cut", lambda mock: mock.truncate(after_chunks=3)),
    ("dropped", lambda mock: mock.disconnect(after_chunks=3)),
    ("malformed", lambda mock: mock.corrupt(after_chunks=2)),
    ("context overflow", lambda mock: mock.context_overflow()),
    ("outage", lambda mock: mock.outage()),
    ("stall", lambda mock: mock.stall(after_chunks=2, seconds=3)),
    ("slow first token", lambda mock: mock.slow_first_token(3)),
]


def gateway(starter: Starter, mock: LLMock) -> Gateway:
    settings = {
        "providers": {"mock": {"api": "openai", "base_url": mock.base_url(), "api_key": "sk-x"}}
    }
    policies = {
        "routes": {"routes": [{"model": "*", "targets": [{"provider": "mock"}]}]},
        "resilience": {
            "retry": {"attempts": 3, "base": 0.5, "max": 2},
            "timeouts": {"connect": 1, "first_token": 1, "between_tokens": 1},
        },
    }
    return starter.gateway(settings, policies)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("name", "script"), FAULTS, ids=[name for name, _ in FAULTS])
def test_verdict(
    starter: Starter, llmock: LLMock, name: str, script: Callable[[LLMock], Any], stream: bool
) -> None:
    """The gateway mishandles none of the faults, as the provider sees it."""
    script(llmock)
    client = openai.OpenAI(
        base_url=f"{gateway(starter, llmock).url}/v1", api_key=KEY, max_retries=0
    )
    try:
        answer = client.chat.completions.create(
            model="gpt-4o", stream=stream, messages=[{"role": "user", "content": "hi"}]
        )
        for _ in answer if stream else ():  # type: ignore[union-attr]
            pass
    except openai.OpenAIError:
        pass  # the client may hear of a fault; what counts is how the provider was treated
    llmock.assert_resilient()
