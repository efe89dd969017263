"""The content view "LLM", as mitmproxy calls it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import contentviews, ctx, http, options
from mitmproxy.contentviews import ContentviewRegistry, prettify_message

from llmitm.inspector.llm_view import LLMContentview
from tests.support.inspected import ANSWER, CHAT, call_flow

REGISTRY = ContentviewRegistry()
for _view in contentviews.registry.values():
    REGISTRY.register(_view)
REGISTRY.register(LLMContentview)


@pytest.fixture(scope="module", autouse=True)
def mitmproxy_options() -> Iterator[None]:
    """mitmproxy asks its global options how to decode protobuf."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ctx, "options", options.Options(), raising=False)
        yield


def shown(flow: http.HTTPFlow, message: http.Message, view: str = "auto") -> str:
    result = prettify_message(message, flow, view, registry=REGISTRY)
    return f"{result.view_name}\n{result.text}"


def test_requests_and_answers_are_read() -> None:
    """It is chosen for calls of language models."""
    flow, _ = call_flow()
    assert shown(flow, flow.request).startswith("LLM\nmodel       gpt-4o")
    assert "What is a gateway?" in shown(flow, flow.request)
    flow.response = http.Response.make(200, json.dumps(ANSWER))
    flow.metadata["request_id"] = "req_1"
    text = shown(flow, flow.response)
    assert "A door." in text
    assert "── end: stop" in text
    assert "call        req_1" in text


def test_streams_have_a_timeline() -> None:
    """Where the times of a stream's chunks were kept they are shown, and what was cut is said."""
    flow, _ = call_flow({**CHAT, "stream": True})
    body = b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\ndata: [DONE]\n\n'
    flow.response = http.Response.make(200, body, {"content-type": "text/event-stream"})
    flow.metadata |= {"chunks": "0@100 49@200", "response_bytes": 5000}
    text = shown(flow, flow.response)
    assert "100 ms" in text
    assert f"(cut: {len(body)} of 5,000 bytes are kept" in text


def test_plain_text_is_an_answer() -> None:
    """A simple endpoint streams nothing but text; the story of its call is told all the same."""
    flow, _ = call_flow({**CHAT, "stream": True})
    flow.response = http.Response.make(200, "A dör.", {"content-type": "text/plain; charset=utf-8"})
    flow.metadata |= {"request_id": "req_1", "endpoint": "/llm/stream", "prompt_tokens": 5}
    text = shown(flow, flow.response)
    assert text.startswith("LLM\n── assistant") and "A dör." in text
    assert "call        req_1 · /llm/stream" in text
    assert "usage " in text


def test_errors_are_shown() -> None:
    """A refusal's body is no answer, but tells why."""
    flow, _ = call_flow()
    flow.response = http.Response.make(429, b'{"error": {"message": "slow down"}}')
    assert "slow down" in shown(flow, flow.response)


@pytest.mark.parametrize("path", ["/v1/files", "/favicon.ico"])
def test_other_flows_are_left_to_other_views(path: str) -> None:
    """It isn't chosen for what is no call."""
    flow, _ = call_flow(path=path)
    assert not shown(flow, flow.request).startswith("LLM")


@given(st.binary(), st.sampled_from(["/v1/chat/completions", "/v1/messages", "/api/generate"]))
def test_any_bytes(data: bytes, path: str) -> None:
    """Whatever the bytes, something is shown."""
    flow, _ = call_flow(data, path)
    flow.response = http.Response.make(200, data)
    shown(flow, flow.request)
    shown(flow, flow.response)
    shown(flow, flow.response, "LLM")
