"""The x-ratelimit headers, as OpenAI's clients read them."""

from __future__ import annotations

import pytest

from llmitm.policy.headers import go_duration, rate_limit_headers
from llmitm.policy.limits import Kind, Standing


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.0004, "1ms"),
        (0.012, "12ms"),
        (1, "1s"),
        (1.5, "1.5s"),
        (59.9999, "1m0s"),
        (60, "1m0s"),
        (90.25, "1m30.25s"),
        (360, "6m0s"),
        (3600, "1h0m0s"),
        (86_399.5, "23h59m59.5s"),
    ],
)
def test_go_duration(seconds: float, text: str) -> None:
    """As Go prints durations, rounded up to milliseconds."""
    assert go_duration(seconds) == text


def test_headers() -> None:
    """Three for each kind that is limited, none for running calls."""
    headers = rate_limit_headers(
        {
            Kind.REQUESTS: Standing(60, 59, 60.5),
            Kind.CONCURRENT: Standing(5, 4, 0.0),
        }
    )
    assert headers == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1m0.5s",
    }
