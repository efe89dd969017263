"""The errors of a provider, in the shape of each dialect."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

import pytest

from llmitm.simulator.refusals import REFUSALS, invalid
from tests.simulator.raw import DIALECTS, PATHS, Post, ask

REFUSED = [
    ("400", 400, "invalid_request_error", None, "invalid_request_error"),
    ("401", 401, "invalid_request_error", "invalid_api_key", "authentication_error"),
    ("402", 402, "insufficient_quota", "insufficient_quota", "billing_error"),
    ("403", 403, "invalid_request_error", "permission_denied", "permission_error"),
    ("404", 404, "invalid_request_error", "model_not_found", "not_found_error"),
    ("413", 413, "invalid_request_error", None, "request_too_large"),
    ("422", 422, "invalid_request_error", None, "invalid_request_error"),
    ("429", 429, "rate_limit_error", "rate_limit_exceeded", "rate_limit_error"),
    ("quota", 429, "insufficient_quota", "insufficient_quota", "rate_limit_error"),
    ("500", 500, "server_error", "server_error", "api_error"),
    ("503", 503, "server_error", "server_is_overloaded", "overloaded_error"),
    ("504", 504, "server_error", "timeout", "timeout_error"),
    ("529", 529, "server_error", "server_is_overloaded", "overloaded_error"),
    (
        "context-length",
        400,
        "invalid_request_error",
        "context_length_exceeded",
        "invalid_request_error",
    ),
    (
        "content-filter",
        400,
        "invalid_request_error",
        "content_policy_violation",
        "invalid_request_error",
    ),
    (
        "content-filter-azure",
        400,
        "invalid_request_error",
        "content_filter",
        "invalid_request_error",
    ),
]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("fault", "status", "kind", "code", "anthropic"), REFUSED)
@pytest.mark.parametrize("streamed", [False, True])
async def test_refusals(
    post: Post,
    dialect: str,
    fault: str,
    status: int,
    kind: str,
    code: str | None,
    anthropic: str,
    streamed: bool,
) -> None:
    """Answers with the status and the dialect's error object, streaming or not."""
    reply = await post(PATHS[dialect], ask(dialect, fault, stream=streamed))
    body = await reply.json()
    assert reply.status == status
    if dialect == "ollama":
        assert body.keys() == {"error"}
        assert isinstance(body["error"], str)
    elif dialect == "anthropic":
        assert body["type"] == "error"
        assert body["request_id"].startswith("req_")
        assert body["error"].keys() == {"type", "message"}
        assert body["error"]["type"] == anthropic
    else:
        assert body["error"].keys() == {"message", "type", "param", "code"}
        assert (body["error"]["type"], body["error"]["code"]) == (kind, code)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_retry_after(post: Post, dialect: str) -> None:
    """A 429 says when to come back only where it is told to, in each form there is."""
    bare = await post(PATHS[dialect], ask(dialect, "429", stream=False))
    assert not {"retry-after", "retry-after-ms"} & {name.lower() for name in bare.headers}
    seconds = await post(PATHS[dialect], ask(dialect, "429:retry-after=2", stream=False))
    assert seconds.headers["retry-after"] == "2"
    ms = await post(PATHS[dialect], ask(dialect, "429:retry-after-ms=1500", stream=False))
    assert ms.headers["retry-after-ms"] == "1500"
    dated = await post(PATHS[dialect], ask(dialect, "429:retry-after-date=60", stream=False))
    ahead = parsedate_to_datetime(dated.headers["retry-after"]).timestamp() - time.time()
    assert 50 < ahead <= 60


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_times(post: Post, dialect: str) -> None:
    """Fails the first requests only."""
    asked = ask(dialect, "429:times=2", stream=False)
    assert [(await post(PATHS[dialect], asked)).status for _ in range(3)] == [429, 429, 200]


@pytest.mark.parametrize("name", REFUSALS)
def test_each_dialect_has_words(name: str) -> None:
    """Every refusal has a text and an error status, whatever the dialect."""
    refusal = REFUSALS[name]
    assert 400 <= refusal.status < 600
    for dialect in DIALECTS:
        assert refusal.object(dialect, "req_1")["error"]


def test_invalid_names_the_field() -> None:
    """A 400 for a field says which."""
    assert invalid("No.", "n").object("openai", "")["error"]["param"] == "n"
