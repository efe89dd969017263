"""The addon of the seeds' endpoints: what it recognises, rewrites and tells."""

from __future__ import annotations

import json

import pytest
from mitmproxy import http

from addons import seed_apis
from addons.seed_apis import SeedApis
from llmitm.call import Attempt, Call, Target
from llmitm.errors import Cause, GatewayError, render
from llmitm.seeds.stream import TextStream
from tests.seeds.flows import flow_of
from tests.seeds.live import live, loaded

CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"hello"}}]}\n\n'
WHOLE = b'{"choices":[{"message":{"content":"hello"}}]}'


@pytest.fixture
def addon(monkeypatch: pytest.MonkeyPatch) -> SeedApis:
    running = live(loaded(OPENAI_API_KEY="k", OPENAI_MODEL="gpt-4o"))
    monkeypatch.setattr(seed_apis, "runtime", lambda: running)
    return SeedApis()


async def asked(addon: SeedApis, flow: http.HTTPFlow) -> None:
    addon.requestheaders(flow)
    await addon.request(flow)


def answered(flow: http.HTTPFlow, body: bytes, *, stream: bool = False) -> http.Response:
    flow.response = http.Response.make(200, body, {"content-type": "application/json"})
    flow.response.stream = stream
    return flow.response


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/llm/generate", ("openai", "chat")),
        ("GET", "/health/llm", ("openai", "health")),
        ("GET", "/workers", ("openai", "workers")),
        ("POST", "/api/users", ("openai", "users")),
        ("POST", "/api/generate", ("ollama", "generate")),
        ("POST", "/v1/messages", ("anthropic", "messages")),
    ],
)
async def test_recognises(
    addon: SeedApis, method: str, path: str, expected: tuple[str, str]
) -> None:
    """What a request means is known before its key is looked at; others' paths stay theirs."""
    flow, call = flow_of(path, {}, method)
    addon.requestheaders(flow)
    assert (call.dialect, call.operation) == expected


async def test_rewrites(addon: SeedApis) -> None:
    """A prompt becomes a chat, and its answer what the endpoint promises."""
    flow, call = flow_of("/llm/generate", {"prompt": "hi"})
    await asked(addon, flow)
    assert flow.request.path == "/v1/chat/completions"
    call.attempts.append(Attempt(Target("openai"), 1, "gpt-4o"))
    response = answered(flow, WHOLE)
    addon.responseheaders(flow)
    addon.response(flow)
    assert response.content == b'{"response":"hello"}'


async def test_leaves_others_alone(addon: SeedApis) -> None:
    """Other calls, Ollama's own among them, pass untouched in both directions."""
    for path in ("/v1/chat/completions", "/api/generate"):
        body = {"model": "m", "prompt": "hi"}
        flow, _ = flow_of(path, body)
        await asked(addon, flow)
        assert json.loads(flow.request.content or b"") == body
        response = answered(flow, WHOLE)
        addon.response(flow)
        assert response.content == WHOLE


async def test_streams(addon: SeedApis) -> None:
    """A stream is told chunk by chunk; nothing is put between its words."""
    flow, call = flow_of("/llm/stream", {"prompt": "hi"})
    await asked(addon, flow)
    assert call.plain
    response = answered(flow, b"", stream=True)
    addon.responseheaders(flow)
    assert isinstance(response.stream, TextStream)
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.stream(CHUNK) == b"hello"
    addon.response(flow)
    assert response.content == b""


async def test_stream_that_came_at_once(addon: SeedApis) -> None:
    """A provider that doesn't stream is no error."""
    flow, _ = flow_of("/llm/stream", {"prompt": "hi"})
    await asked(addon, flow)
    response = answered(flow, WHOLE)
    addon.responseheaders(flow)
    addon.response(flow)
    assert response.content == b"hello"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/generate", "detail"),
        ("/llm/generate", "error"),
        ("/classify", "message"),
        ("/api/users", "error"),
        ("/health/llm", "error"),
    ],
)
async def test_errors_before_the_request_was_read(addon: SeedApis, path: str, field: str) -> None:
    """A refusal is told in the endpoint's shape, however early it comes."""
    flow, call = flow_of(path, b"")
    call.error = GatewayError(Cause.AUTHENTICATION, "No API key.")
    status, headers, body = render(call.error, "openai")
    flow.response = http.Response.make(status, body, headers)
    addon.response(flow)
    assert json.loads(flow.response.content or b"")[field] == "No API key."


async def test_errors_of_others(addon: SeedApis) -> None:
    """An error of any other call stays as it is."""
    flow, call = flow_of("/v1/chat/completions", b"")
    call.error = GatewayError(Cause.AUTHENTICATION, "No API key.")
    status, headers, body = render(call.error, "openai")
    flow.response = http.Response.make(status, body, headers)
    addon.response(flow)
    assert flow.response.content == body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/prompt", 405), ("POST", "/health", 405), ("HEAD", "/health", None)],
)
async def test_methods(addon: SeedApis, method: str, path: str, status: int | None) -> None:
    """A wrong method is refused here: no provider is to hear of it."""
    flow, _ = flow_of(path, b"", method)
    await asked(addon, flow)
    assert (flow.response.status_code if flow.response else None) == status


async def test_limit_of_tokens(addon: SeedApis) -> None:
    """Each attempt tells the limit in its provider's words; others' attempts are not touched."""
    flow, _ = flow_of("/prompt", {"query": "hi", "max_tokens": 5})
    await asked(addon, flow)
    body = flow.request.raw_content
    attempt = Attempt(Target("openai"), 1, "gpt-4o", body=body)
    addon.upstream_request(flow, attempt)
    assert json.loads(attempt.body)["max_completion_tokens"] == 5
    other = Attempt(Target("openai"), 1, "gpt-4o", body=body)
    addon.upstream_request(flow_of("/v1/chat/completions", {})[0], other)
    assert other.body is body


async def test_answered_already(addon: SeedApis) -> None:
    """What another addon has answered is left alone."""
    flow, call = flow_of("/prompt", {"query": "hi"})
    flow.response = http.Response.make(204)
    await asked(addon, flow)
    assert flow.request.path == "/prompt"
    assert isinstance(call, Call)
