"""The comment column, the markers and the metadata of a call."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from llmitm.call import AttemptRecord, CallRecord
from llmitm.inspector import summary
from llmitm.inspector.recorder import Recorder
from llmitm.inspector.snapshot import Sent

GOOD = {
    "request_id": "req_1",
    "ts": 1.0,
    "key": "dev",
    "dialect": "openai",
    "operation": "chat",
    "model": "gpt-4o",
    "target": "openai/gpt-4o",
    "attempts": (AttemptRecord("openai/gpt-4o", 200, None, 300),),
    "status": 200,
    "prompt_tokens": 12,
    "completion_tokens": 30,
    "cost_usd": Decimal("0.000756"),
    "ttft_ms": 311.6,
    "duration_ms": 900.0,
}
TWO = (AttemptRecord("a/m", 503, "http_error", 9), AttemptRecord("b/m", 200, None, 300))


def record(**changes: Any) -> CallRecord:
    return CallRecord(**{**GOOD, **changes})


COMMENTS = [
    ({}, "gpt-4o · openai/gpt-4o · 12→30 tokens · $0.00076 · first token 312 ms · 200 ok"),
    ({"estimated": True}, "~12→30 tokens"),
    ({"cost_usd": None}, "12→30 tokens · first token 312 ms"),
    ({"attempts": TWO}, "200 after 2 attempts"),
    ({"status": 429, "error": "rate_limited", "target": None}, "no target"),
    ({"status": 429, "error": "rate_limited"}, "429 rate_limited"),
    ({"model": None, "operation": "files"}, "files · openai/gpt-4o"),
]


@pytest.mark.parametrize(("changes", "said"), COMMENTS)
def test_comments(changes: dict[str, Any], said: str) -> None:
    """The comment says what is known of a call, in one order."""
    assert said in summary.comment(record(**changes))


MARKS = [
    ({}, ""),
    ({"attempts": TWO}, summary.FAILED_OVER),
    ({"cost_usd": Decimal("0.2")}, summary.EXPENSIVE),
    ({"cost_usd": Decimal("0.2"), "attempts": TWO}, summary.EXPENSIVE),
    ({"status": 503, "error": "upstream_unavailable"}, summary.FAILED),
    ({"status": 404}, summary.FAILED),
    ({"status": 429, "error": "rate_limited"}, summary.LIMITED),
    ({"status": 429, "error": "budget_exhausted"}, summary.LIMITED),
]


@pytest.mark.parametrize(("changes", "mark"), MARKS)
def test_markers(changes: dict[str, Any], mark: str) -> None:
    """What deserves a look is marked, the graver of two reasons counts."""
    assert summary.marker(record(**changes), Decimal("0.1")) == mark


def test_nothing_is_expensive_without_a_limit() -> None:
    """`expensive_usd: null` marks no call as expensive."""
    assert summary.marker(record(cost_usd=Decimal(99)), None) == ""


MONEY = [("0", "$0"), ("12.346", "$12.35"), ("0.5", "$0.50"), ("0.00000015", "$0.00000015")]


@pytest.mark.parametrize(("usd", "shown"), MONEY)
def test_money(usd: str, shown: str) -> None:
    """Amounts have the digits that say something, and never an exponent."""
    assert summary.money(Decimal(usd)) == shown


def test_metadata_is_scalar() -> None:
    """Every field is a scalar, and what isn't known is left out."""
    found = summary.metadata(record())
    assert all(isinstance(value, str | int | float | bool) for value in found.values())
    assert found["key"] == "dev"
    assert found["cost_usd"] == "0.000756"
    assert found["attempts"] == 1
    assert "team" not in found


RUNNING: list[tuple[dict[str, Any], str]] = [
    ({"model": None, "target": None, "ttft_ms": None}, "gpt-4o · waiting for a target …"),
    ({"ttft_ms": None, "target": "p/m"}, "gpt-4o · p/m · waiting for the first token …"),
    ({"stream": True}, "gpt-4o · openai/gpt-4o · first token 312 ms · streaming …"),
    ({}, "gpt-4o · openai/gpt-4o · first token 312 ms · answering …"),
]


@pytest.mark.parametrize(("changes", "said"), RUNNING)
def test_running_calls(changes: dict[str, Any], said: str) -> None:
    """A call on its way says where it is."""
    assert summary.running_comment(record(**changes), "gpt-4o") == said


SENT = Sent(2, "p/m", "POST", "", {}, None, None, None, 1.0, None, Recorder(0, 0.0))
ATTEMPTS: list[tuple[dict[str, Any], str]] = [
    ({}, "↳ attempt 2 · p/m · waiting …"),
    ({"status": 200}, "↳ attempt 2 · p/m · 200 answering …"),
    ({"status": 200, "ms": 5}, "↳ attempt 2 · p/m · 200 answered · 5 ms"),
    ({"status": 503, "error": "http_error", "ms": 5}, "↳ attempt 2 · p/m · 503 http_error · 5 ms"),
    ({"error": "connect", "ms": 5}, "↳ attempt 2 · p/m · connect · 5 ms"),
]


@pytest.mark.parametrize(("changes", "said"), ATTEMPTS)
def test_attempts(changes: dict[str, Any], said: str) -> None:
    """An attempt's comment says what became of it."""
    assert summary.attempt_comment(SENT._replace(**changes)) == said
