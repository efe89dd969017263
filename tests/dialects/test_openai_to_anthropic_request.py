"""A Chat Completions request becomes a Messages request, or is refused with its parameter named."""

from __future__ import annotations

from typing import Any, get_type_hints

import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import completion_create_params as openai_params
from pydantic import TypeAdapter

from llmitm.dialects.openai_to_anthropic_request import (
    CARRIED,
    DROPPED,
    JSON_INSTRUCTION,
    REFUSED,
    messages_request,
)
from llmitm.errors import Cause, GatewayError
from tests.dialects.streams import Json, cause_of

HI: Json = {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": "hi"}]}
NEW = "claude-opus-4-8"
SCHEMA: Json = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}
TOOL: Json = {
    "type": "function",
    "function": {"name": "weather", "description": "Tells it", "parameters": SCHEMA},
}
TOOL_OUT: Json = {"name": "weather", "description": "Tells it", "input_schema": SCHEMA}

CASES: list[tuple[str, Json, Json]] = [
    ("a limit by default", {}, {"max_tokens": 4096}),
    ("max_tokens", {"max_tokens": 5}, {"max_tokens": 5}),
    ("the newer limit wins", {"max_tokens": 5, "max_completion_tokens": 6}, {"max_tokens": 6}),
    ("temperature", {"temperature": 0}, {"temperature": 0}),
    ("temperature is clamped", {"temperature": 1.7}, {"temperature": 1}),
    ("top_p", {"top_p": 0.5}, {"top_p": 0.5}),
    ("only one of both", {"temperature": 0.2, "top_p": 0.5}, {"temperature": 0.2}),
    ("the one that says something", {"temperature": 1, "top_p": 0.5}, {"top_p": 0.5}),
    ("top_k", {"top_k": 7}, {"top_k": 7}),
    ("no sampling for new models", {"model": NEW, "temperature": 0.2, "top_p": 0.1}, {}),
    ("stop", {"stop": "END"}, {"stop_sequences": ["END"]}),
    ("stops", {"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}),
    ("stream", {"stream": True}, {"stream": True}),
    ("no stream", {"stream": False}, {"stream": False}),
    ("user", {"user": "u1"}, {"metadata": {"user_id": "u1"}}),
    ("safety id", {"user": "u1", "safety_identifier": "s"}, {"metadata": {"user_id": "s"}}),
    ("effort", {"model": NEW, "reasoning_effort": "high"}, {"output_config": {"effort": "high"}}),
    (
        "least effort",
        {"model": NEW, "reasoning_effort": "minimal"},
        {"output_config": {"effort": "low"}},
    ),
    ("no effort", {"model": NEW, "reasoning_effort": "none"}, {}),
    ("effort unknown to the model", {"reasoning_effort": "high"}, {}),
    ("thinking", {"thinking": {"type": "adaptive"}}, {"thinking": {"type": "adaptive"}}),
    ("tools", {"tools": [TOOL]}, {"tools": [TOOL_OUT]}),
    (
        "tool without parameters",
        {"tools": [{"type": "function", "function": {"name": "now"}}]},
        {"tools": [{"name": "now", "input_schema": {"type": "object"}}]},
    ),
    (
        "strict tool",
        {"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]},
        {"tools": [{"name": "f", "input_schema": {"type": "object"}, "strict": True}]},
    ),
    (
        "tool choice auto",
        {"tools": [TOOL], "tool_choice": "auto"},
        {"tools": [TOOL_OUT], "tool_choice": {"type": "auto"}},
    ),
    (
        "tool choice none",
        {"tools": [TOOL], "tool_choice": "none", "parallel_tool_calls": False},
        {"tools": [TOOL_OUT], "tool_choice": {"type": "none"}},
    ),
    (
        "tool choice required",
        {"tools": [TOOL], "tool_choice": "required"},
        {"tools": [TOOL_OUT], "tool_choice": {"type": "any"}},
    ),
    (
        "tool choice by name",
        {
            "tools": [TOOL],
            "tool_choice": {"type": "function", "function": {"name": "weather"}},
            "parallel_tool_calls": False,
        },
        {
            "tools": [TOOL_OUT],
            "tool_choice": {"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
        },
    ),
    (
        "one tool at a time",
        {"tools": [TOOL], "parallel_tool_calls": False},
        {
            "tools": [TOOL_OUT],
            "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        },
    ),
    (
        "allowed tools",
        {
            "tools": [TOOL, {"type": "function", "function": {"name": "other"}}],
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "weather"}}],
                },
            },
        },
        {"tools": [TOOL_OUT], "tool_choice": {"type": "any"}},
    ),
    ("tool choice without tools", {"tool_choice": "none"}, {}),
    ("text", {"response_format": {"type": "text"}}, {}),
    (
        "JSON object",
        {"response_format": {"type": "json_object"}},
        {"system": JSON_INSTRUCTION},
    ),
    (
        "JSON schema",
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "a", "schema": SCHEMA},
            }
        },
        {
            "output_config": {
                "format": {
                    "type": "json_schema",
                    "schema": {
                        "type": "object",
                        "properties": {"n": {"type": "integer", "description": "(minimum: 1)"}},
                        "additionalProperties": False,
                    },
                }
            }
        },
    ),
    ("values that ask for nothing", {"n": 1, "logprobs": False, "modalities": ["text"]}, {}),
    ("what is dropped", {"seed": 1, "store": True, "frequency_penalty": 1, "logit_bias": {}}, {}),
    ("what nobody knows", {"not_a_parameter": 1}, {}),
]


@pytest.mark.parametrize(("what", "asked", "expected"), CASES, ids=[c[0] for c in CASES])
def test_parameters(what: str, asked: Json, expected: Json) -> None:
    """Each parameter as Anthropic has it, and nothing else."""
    request = messages_request(HI | asked)
    base = {
        "model": asked.get("model", HI["model"]),
        "max_tokens": 4096,
        "messages": HI["messages"],
    }
    assert request == base | expected, what


REFUSALS: list[tuple[Json, str]] = [
    ({"n": 2}, "n"),
    ({"logprobs": True}, "logprobs"),
    ({"top_logprobs": 3}, "top_logprobs"),
    ({"logit_bias": {"50256": -100}}, "logit_bias"),
    ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"functions": [{"name": "f"}]}, "functions"),
    ({"function_call": {"name": "f"}}, "function_call"),
    ({"web_search_options": {}}, "web_search_options"),
    ({"stop": ["\n"]}, "stop"),
    ({"stop": 3}, "stop"),
    ({"temperature": "hot"}, "temperature"),
    ({"temperature": True}, "temperature"),
    ({"max_tokens": "many"}, "max_tokens"),
    ({"model": None}, "model"),
    ({"messages": "hi"}, "messages"),
    ({"messages": []}, "messages"),
    ({"tools": {}}, "tools"),
    ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "tools[0].type"),
    ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
    ({"tools": [TOOL], "tool_choice": {"type": "custom"}}, "tool_choice"),
    ({"response_format": {"type": "grammar"}}, "response_format.type"),
    ({"response_format": "json"}, "response_format"),
]


@pytest.mark.parametrize(("asked", "param"), REFUSALS, ids=[str(r[0]) for r in REFUSALS])
def test_refusals(asked: Json, param: str) -> None:
    """What Anthropic has no words for is refused, with the parameter's name."""
    with pytest.raises(GatewayError) as refusal:
        messages_request(HI | asked)
    assert refusal.value.cause is Cause.INVALID_REQUEST
    assert refusal.value.param == param
    assert param in refusal.value.message


def test_tables_name_every_parameter_once() -> None:
    """Every parameter of the SDK is in exactly one table: carried, dropped or refused."""
    known = set(get_type_hints(openai_params.CompletionCreateParamsBase)) | {"stream"}
    tables = [*CARRIED, *DROPPED, *REFUSED]
    assert known <= set(tables)
    assert len(tables) == len(set(tables))


def test_request_is_one_that_the_anthropic_sdk_would_send() -> None:
    """A request with everything in it fits the SDK's own types."""
    request = messages_request(
        {
            "model": NEW,
            "messages": [
                {"role": "system", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is this?"},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "weather", "arguments": '{"n": 2}'},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
            ],
            "tools": [TOOL],
            "tool_choice": "required",
            "parallel_tool_calls": False,
            "stop": "END",
            "user": "u",
            "reasoning_effort": "low",
            "response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}},
        }
    )
    adapter = TypeAdapter[Any](MessageCreateParamsNonStreaming)
    checked = adapter.validate_python(request)
    for key in ("messages", "tools"):
        assert len(list(checked[key])) == len(request[key])


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "text", "function", "name", "tool_calls"])
            | st.text(max_size=3),
            inner | st.sampled_from(["user", "assistant", "tool", "text", "image_url", "function"]),
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
        assert cause_of(messages_request, body) in (None, Cause.INVALID_REQUEST)
