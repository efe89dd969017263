"""Which function answers which path."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmitm.simulator import Settings, anthropic, ollama, openai_chat, openai_files
from llmitm.simulator.exchange import Exchange
from llmitm.simulator.faults import OK
from llmitm.simulator.refusals import Refused
from llmitm.simulator.routes import Handler, Routes, dialect_of

ROUTES = Routes(openai_files.Files())
VERSION = {"anthropic-version": "2023-06-01"}


@pytest.mark.parametrize(
    ("path", "headers", "dialect"),
    [
        ("/v1/chat/completions", {}, "openai"),
        ("/v1/chat/completions", VERSION, "openai"),
        ("/v1/messages", {}, "anthropic"),
        ("/v1/messages/count_tokens", {}, "anthropic"),
        ("/v1/models", {}, "openai"),
        ("/v1/models", VERSION, "anthropic"),
        ("/api/chat", {}, "ollama"),
        ("/", {}, "ollama"),
        ("/other", {}, "openai"),
    ],
)
def test_dialect_of(path: str, headers: dict[str, str], dialect: str) -> None:
    """The path says the dialect, and for the models a header does."""
    assert dialect_of(path, headers) == dialect


@pytest.mark.parametrize(
    ("method", "path", "headers", "handler", "last"),
    [
        ("POST", "/v1/chat/completions", {}, openai_chat.chat, ""),
        ("POST", "/v1/messages", {}, anthropic.messages, ""),
        ("GET", "/v1/models", {}, openai_files.models, ""),
        ("GET", "/v1/models", VERSION, anthropic.models, ""),
        ("GET", "/v1/models/gpt", {}, openai_files.model, "gpt"),
        ("GET", "/v1/models/gpt", VERSION, anthropic.model, "gpt"),
        ("HEAD", "/", {}, ollama.root, ""),
    ],
)
def test_find(method: str, path: str, headers: dict[str, str], handler: Handler, last: str) -> None:
    """Finds the function, and the id at the end of a path."""
    route = ROUTES.find(method, path, headers)
    assert (route.handler, route.last) == (handler, last)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/chat/completions"), ("POST", "/"), ("GET", "/v1/files/a/b"), ("GET", "/x")],
)
def test_unknown(method: str, path: str) -> None:
    """Another method, a longer path and an unknown one are found nowhere."""
    known = {openai_chat.chat, ollama.root, openai_files.model}
    assert ROUTES.find(method, path, {}).handler not in known


LEAVES = st.none() | st.booleans() | st.integers(-2, 9) | st.floats() | st.text(max_size=5)
NAMES = (
    "type text content role user assistant tool tool_use tool_result tool_calls image image_url "
    "function name arguments parameters input_schema json_schema schema object array string "
    "properties items $ref # anyOf allOf enum const required minItems minimum url source"
)
WORDS = st.sampled_from(NAMES.split())
NAMED = st.dictionaries(WORDS, WORDS | LEAVES, max_size=4)
ODD = st.recursive(
    LEAVES | WORDS | NAMED,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)
GOOD: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "Hi"}],
    "input": "Hi",
    "prompt": "Hi",
    "max_tokens": 5,
}
FIELDS = (
    "model messages input prompt max_tokens n stream stream_options tools tool_choice format text "
    "response_format output_config options system instructions images dimensions metadata file "
    "encoding_format max_output_tokens"
)
POSTED = sorted(path for method, path in ROUTES.paths if method == "POST")


@pytest.mark.parametrize("path", POSTED)
@settings(deadline=None)
@given(odd=st.dictionaries(st.sampled_from(FIELDS.split()), ODD, min_size=1, max_size=3))
def test_odd_bodies(path: str, odd: dict[str, Any]) -> None:
    """Whatever JSON stands in a field, the request is answered or refused."""
    route = ROUTES.find("POST", path, {})
    with contextlib.suppress(Refused):
        reply = route.handler(Exchange({**GOOD, **odd}, Settings(), OK))
        assert list(reply.steps or ()) or reply.body
