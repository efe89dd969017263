"""The provider's credential on the outgoing request."""

from __future__ import annotations

from typing import Any

import pytest

from addons.credentials import Credentials
from llmitm.call import Attempt, Target
from tests.support.stage import URL, Stage, flow_of

SECRET = "sk-provider"


@pytest.mark.parametrize(
    ("provider", "sent", "expected"),
    [
        ({"api": "openai"}, {}, {"authorization": f"Bearer {SECRET}"}),
        ({"api": "gemini"}, {}, {"authorization": f"Bearer {SECRET}"}),
        ({"api": "ollama"}, {}, {"authorization": f"Bearer {SECRET}"}),
        ({"api": "anthropic"}, {}, {"x-api-key": SECRET, "anthropic-version": "2023-06-01"}),
        (
            {"api": "anthropic"},
            {"anthropic-version": "2099-01-01"},
            {"x-api-key": SECRET, "anthropic-version": "2099-01-01"},
        ),
        (
            {"api": "openai", "api_key": None, "headers": {"Api-Key": SECRET}},
            {"user-agent": "x"},
            {"api-key": SECRET, "user-agent": "x"},
        ),
        ({"api": "openai", "api_key": None}, {}, {}),
        (
            {"api": "openai", "headers": {"authorization": "Own"}},
            {"authorization": "Bearer of-a-script"},
            {"authorization": "Own"},
        ),
    ],
)
def test_headers(
    stage: Stage, provider: dict[str, Any], sent: dict[str, str], expected: dict[str, str]
) -> None:
    """Each API gets its credential where it looks for it; configured headers win."""
    entry = {"base_url": URL, "api_key": SECRET, **provider}
    routes = {"routes": [{"model": "*", "targets": [{"provider": "one"}]}]}
    stage.configure({"routes": routes}, {"providers": {"one": entry}})
    attempt = Attempt(Target("one"), 1, "m", headers=dict(sent))
    flow = flow_of(headers=sent)
    before = flow.get_state()["request"]
    Credentials().upstream_request(flow, attempt)
    assert attempt.headers == expected
    assert flow.get_state()["request"] == before
