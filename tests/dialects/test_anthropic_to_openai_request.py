"""A Messages request becomes a Chat Completions request, or is refused with its parameter named."""

from __future__ import annotations

from typing import Any, get_type_hints

import pytest
from anthropic.types.message_create_params import MessageCreateParamsBase
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import TypeAdapter

from llmitm.dialects.anthropic_to_openai_request import CARRIED, DROPPED, REFUSED, chat_request
from llmitm.errors import Cause, GatewayError
from tests.dialects.streams import Json, cause_of

HI: Json = {
    "model": "gpt-4o-mini",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "hi"}],
}
SCHEMA: Json = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
LOOSE: Json = {"type": "object", "properties": {"n": {"type": "integer"}}}
TOOL: Json = {"name": "weather", "description": "Tells it", "input_schema": LOOSE}
TOOL_OUT: Json = {
    "type": "function",
    "function": {"name": "weather", "description": "Tells it", "parameters": LOOSE},
}


def json_schema(schema: Json, *, strict: bool) -> Json:
    described = {"name": "answer", "schema": schema, "strict": strict}
    return {"response_format": {"type": "json_schema", "json_schema": described}}


CASES: list[tuple[str, Json, Json]] = [
    ("a limit", {}, {}),
    ("sampling", {"temperature": 0, "top_p": 0.5, "top_k": 3}, {"temperature": 0, "top_p": 0.5}),
    ("stop", {"stop_sequences": ["a"]}, {"stop": ["a"]}),
    ("stream", {"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
    ("no stream", {"stream": False}, {"stream": False}),
    ("user", {"metadata": {"user_id": "u"}}, {"user": "u"}),
    (
        "a long user",
        {"metadata": {"user_id": "u" * 65}},
        {"user": "f20e249d15fa4b9f44ba21d154f62e1efa76ddfdce5d25139a33a4787cee5a8b"},
    ),
    ("tools", {"tools": [TOOL]}, {"tools": [TOOL_OUT]}),
    ("custom tools", {"tools": [TOOL | {"type": "custom"}]}, {"tools": [TOOL_OUT]}),
    (
        "a strict tool",
        {"tools": [{"name": "f", "input_schema": SCHEMA, "strict": True}]},
        {
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "f", "parameters": SCHEMA, "strict": True},
                }
            ]
        },
    ),
    (
        "a strict tool that OpenAI would refuse",
        {"tools": [{"name": "f", "input_schema": LOOSE, "strict": True}]},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": LOOSE}}]},
    ),
    (
        "tool choice auto, one at a time",
        {"tools": [TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        {"tools": [TOOL_OUT], "tool_choice": "auto", "parallel_tool_calls": False},
    ),
    (
        "tool choice any",
        {"tools": [TOOL], "tool_choice": {"type": "any"}},
        {"tools": [TOOL_OUT], "tool_choice": "required"},
    ),
    (
        "tool choice none",
        {"tools": [TOOL], "tool_choice": {"type": "none"}},
        {"tools": [TOOL_OUT], "tool_choice": "none"},
    ),
    (
        "tool choice by name",
        {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "weather"}},
        {
            "tools": [TOOL_OUT],
            "tool_choice": {"type": "function", "function": {"name": "weather"}},
        },
    ),
    (
        "structured output",
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        json_schema(SCHEMA, strict=True),
    ),
    (
        "structured output that OpenAI's strict mode would refuse",
        {"output_config": {"format": {"type": "json_schema", "schema": LOOSE}}},
        json_schema(LOOSE, strict=False),
    ),
    (
        "structured output by its older name",
        {"output_format": {"type": "json_schema", "schema": SCHEMA}},
        json_schema(SCHEMA, strict=True),
    ),
    ("effort, for a model that does not reason", {"output_config": {"effort": "high"}}, {}),
    (
        "effort",
        {"model": "gpt-5.2", "output_config": {"effort": "high"}},
        {"reasoning_effort": "high"},
    ),
    (
        "a small thinking budget",
        {"model": "o3", "thinking": {"type": "enabled", "budget_tokens": 1024}},
        {"reasoning_effort": "low"},
    ),
    (
        "a large thinking budget",
        {"model": "openai/gpt-5", "thinking": {"type": "enabled", "budget_tokens": 32000}},
        {"reasoning_effort": "high"},
    ),
    ("thinking as it likes", {"model": "o3", "thinking": {"type": "adaptive"}}, {}),
    (
        "a chat model of a reasoning family",
        {"model": "gpt-5-chat-latest", "thinking": {"type": "enabled", "budget_tokens": 9000}},
        {},
    ),
    ("what is dropped", {"service_tier": "auto", "cache_control": {"type": "ephemeral"}}, {}),
    ("what nobody knows", {"not_a_parameter": 1}, {}),
]


@pytest.mark.parametrize(("what", "asked", "expected"), CASES, ids=[c[0] for c in CASES])
def test_parameters(what: str, asked: Json, expected: Json) -> None:
    """Each parameter as OpenAI has it, and nothing else."""
    base = {
        "model": asked.get("model", HI["model"]),
        "messages": HI["messages"],
        "max_completion_tokens": 9,
    }
    assert chat_request(HI | asked) == base | expected, what


REFUSALS: list[tuple[Json, str]] = [
    ({"container": "c"}, "container"),
    ({"inference_geo": "us"}, "inference_geo"),
    ({"mcp_servers": [{"name": "m"}]}, "mcp_servers"),
    ({"tools": [{"type": "web_search_20260318", "name": "web_search"}]}, "tools[0].type"),
    ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
    ({"tools": [{"name": "f", "input_schema": []}]}, "tools[0].input_schema"),
    ({"tools": "all"}, "tools"),
    ({"tools": [TOOL], "tool_choice": {"type": "some"}}, "tool_choice.type"),
    ({"tools": [TOOL], "tool_choice": "auto"}, "tool_choice"),
    ({"stop_sequences": [1]}, "stop_sequences"),
    ({"temperature": "hot"}, "temperature"),
    ({"output_config": {"format": {"type": "grammar"}}}, "output_config.format"),
    ({"model": 4}, "model"),
]


@pytest.mark.parametrize(("asked", "param"), REFUSALS, ids=[str(r[0]) for r in REFUSALS])
def test_refusals(asked: Json, param: str) -> None:
    """What OpenAI has no words for is refused, with the parameter's name."""
    with pytest.raises(GatewayError) as refusal:
        chat_request(HI | asked)
    assert refusal.value.cause is Cause.INVALID_REQUEST
    assert refusal.value.param == param
    assert param in refusal.value.message


def test_tables_name_every_parameter_once() -> None:
    """Every parameter of the SDK, and the sampling it no longer has, is in exactly one table."""
    headers = {"user_profile_id", "workspace_id"}
    known = set(get_type_hints(MessageCreateParamsBase)) - headers
    known |= {"stream", "temperature", "top_p", "top_k"}
    tables = [*CARRIED, *DROPPED, *REFUSED]
    assert known <= set(tables)
    assert len(tables) == len(set(tables))


def test_request_is_one_that_the_openai_sdk_would_send() -> None:
    """A request with everything in it fits the SDK's own types."""
    request = chat_request(
        {
            "model": "gpt-5",
            "max_tokens": 100,
            "system": "Be brief.",
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is this?"},
                        {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "t", "name": "weather", "input": {}}],
                },
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "t", "content": "rain"}],
                },
            ],
            "tools": [TOOL],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
            "stop_sequences": ["END"],
            "output_config": {
                "effort": "low",
                "format": {"type": "json_schema", "schema": SCHEMA},
            },
        }
    )
    adapter = TypeAdapter[Any](CompletionCreateParamsNonStreaming)
    checked = adapter.validate_python(request)
    for key in ("messages", "tools"):
        assert len(list(checked[key])) == len(request[key])


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "text", "source", "name", "input", "id"])
            | st.text(max_size=3),
            inner | st.sampled_from(["user", "assistant", "text", "image", "tool_use", "document"]),
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(
    st.dictionaries(st.sampled_from([*CARRIED, *DROPPED, *REFUSED]), JSON_VALUES, max_size=5),
    st.lists(JSON_VALUES, max_size=2),
)
def test_no_request_is_fatal(asked: Json, messages: list[Any]) -> None:
    """Any JSON object is translated or refused, never an error of ours."""
    for body in (asked, HI | asked, HI | asked | {"messages": messages}):
        assert cause_of(chat_request, body) in (None, Cause.INVALID_REQUEST)
