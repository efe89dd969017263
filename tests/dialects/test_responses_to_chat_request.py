"""A Responses request becomes a Chat Completions request, or is refused by its parameter."""

from __future__ import annotations

from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.responses import response_create_params
from pydantic import TypeAdapter

from llmitm.dialects.responses_to_chat_request import CARRIED, DROPPED, REFUSED, chat_request
from llmitm.errors import Cause, GatewayError
from tests.dialects.streams import Json, cause_of

HI: Json = {"model": "m", "input": "hi"}
SCHEMA: Json = {"type": "object", "properties": {"n": {"type": "integer"}}}
TOOL: Json = {"type": "function", "name": "weather", "description": "D", "parameters": SCHEMA}
TOOL_OUT: Json = {
    "type": "function",
    "function": {"name": "weather", "description": "D", "parameters": SCHEMA},
}
CHOSEN: Json = {"type": "function", "function": {"name": "weather"}}

CASES: list[tuple[str, Json, Json]] = [
    ("nothing else", {}, {}),
    ("limit", {"max_output_tokens": 16}, {"max_completion_tokens": 16}),
    ("sampling", {"temperature": 0, "top_p": 0.5}, {"temperature": 0, "top_p": 0.5}),
    ("null", {"temperature": None, "max_output_tokens": None, "tools": None, "text": None}, {}),
    ("user", {"user": "u"}, {"user": "u"}),
    ("safety identifier", {"user": "u", "safety_identifier": "s"}, {"user": "s"}),
    ("effort", {"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning_effort": "low"}),
    ("no effort", {"reasoning": {"summary": "auto"}}, {}),
    ("text", {"text": {"format": {"type": "text"}, "verbosity": "low"}}, {}),
    (
        "JSON object",
        {"text": {"format": {"type": "json_object"}}},
        {"response_format": {"type": "json_object"}},
    ),
    (
        "JSON schema",
        {
            "text": {
                "format": {"type": "json_schema", "name": "a", "schema": SCHEMA, "strict": True}
            }
        },
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "a", "schema": SCHEMA, "strict": True},
            }
        },
    ),
    ("tools", {"tools": [TOOL]}, {"tools": [TOOL_OUT]}),
    ("tool not strict", {"tools": [{**TOOL, "strict": False}]}, {"tools": [TOOL_OUT]}),
    (
        "strict tool",
        {"tools": [{"type": "function", "name": "f", "parameters": None, "strict": True}]},
        {"tools": [{"type": "function", "function": {"name": "f", "strict": True}}]},
    ),
    (
        "tool choice",
        {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False},
        {"tools": [TOOL_OUT], "tool_choice": "required", "parallel_tool_calls": False},
    ),
    (
        "tool choice by name",
        {"tools": [TOOL], "tool_choice": {"type": "function", "name": "weather"}},
        {"tools": [TOOL_OUT], "tool_choice": CHOSEN},
    ),
    (
        "allowed tools",
        {
            "tools": [TOOL],
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "weather"}],
            },
        },
        {
            "tools": [TOOL_OUT],
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [CHOSEN]},
            },
        },
    ),
    ("tool choice without tools", {"tool_choice": "auto", "parallel_tool_calls": True}, {}),
    ("logprobs", {"include": ["message.output_text.logprobs"]}, {"logprobs": True}),
    ("top logprobs", {"top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
    ("no logprobs", {"top_logprobs": 0, "include": ["reasoning.encrypted_content"]}, {}),
    ("values that ask for nothing", {"background": False, "previous_response_id": None}, {}),
    ("what is dropped", {"store": True, "metadata": {"a": "b"}, "truncation": "auto"}, {}),
    ("what nobody knows", {"not_a_parameter": 1}, {}),
    ("thinking is Anthropic's", {"thinking": {"type": "adaptive"}}, {}),
]
_CHAT: TypeAdapter[Any] = TypeAdapter(CompletionCreateParamsNonStreaming)


@pytest.mark.parametrize(("what", "asked", "expected"), CASES, ids=[case[0] for case in CASES])
def test_parameters(what: str, asked: Json, expected: Json) -> None:
    """Each parameter becomes the other API's; the SDK's types accept the request."""
    request = chat_request({**HI, **asked})
    messages = [{"role": "user", "content": "hi"}]
    assert request == {"model": "m", "messages": messages, **expected}
    _CHAT.validate_python(request)


def test_stream_asks_for_usage() -> None:
    """A response always counts its tokens, so the stream has to."""
    request = chat_request({**HI, "stream": True})
    assert (request["stream"], request["stream_options"]) == (True, {"include_usage": True})
    assert "stream_options" not in chat_request({**HI, "stream": False})


def test_thinking_for_claude() -> None:
    """A client that names Anthropic's parameter gets what it asks for there."""
    wanted = {"type": "adaptive"}
    assert chat_request({**HI, "thinking": wanted}, thinking=True)["thinking"] == wanted


REFUSALS: list[tuple[Json, str, str]] = [
    ({"background": True}, "background", "stream it"),
    ({"conversation": "conv_1"}, "conversation", "send the whole conversation"),
    ({"previous_response_id": "resp_1"}, "previous_response_id", "send the whole conversation"),
    ({"prompt": {"id": "pmpt_1"}}, "prompt", "as instructions"),
    ({"moderation": {"model": "m"}}, "moderation", "OpenAI's moderation"),
    ({"tools": [TOOL, {"type": "web_search"}]}, "tools[1].type", "route the model to an OpenAI"),
    ({"tools": [{"type": "file_search"}]}, "tools[0].type", "function tools only"),
    ({"tools": [{"type": "computer_use_preview"}]}, "tools[0].type", "function tools only"),
    ({"tools": [{"type": "mcp", "server_label": "x"}]}, "tools[0].type", "function tools only"),
    ({"tools": [{"type": "custom", "name": "x"}]}, "tools[0].type", "function tools only"),
    ({"tools": "weather"}, "tools", "list of objects"),
    ({"tools": [{"type": "function"}]}, "tools[0].name", "string"),
    ({"tools": [TOOL], "tool_choice": {"type": "file_search"}}, "tool_choice", "function tools"),
    (
        {"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [1]}},
        "tool_choice.tools",
        "string",
    ),
    ({"text": {"format": {"type": "grammar"}}}, "text.format.type", "grammar"),
    ({"text": "json"}, "text", "object"),
    ({"reasoning": "high"}, "reasoning", "object"),
    ({"temperature": "warm"}, "temperature", "number"),
    ({"max_output_tokens": "many"}, "max_output_tokens", "number"),
    ({"include": 3}, "include", "string"),
    ({"model": None}, "model", "string"),
    ({"input": None}, "input", "text or a list"),
]


@pytest.mark.parametrize(("asked", "param", "remedy"), REFUSALS)
def test_refusals(asked: Json, param: str, remedy: str) -> None:
    """What can't be told elsewhere is refused by its name, with what to do instead."""
    with pytest.raises(GatewayError, match=remedy) as refusal:
        chat_request({**HI, **asked})
    assert (refusal.value.cause, refusal.value.param) == (Cause.INVALID_REQUEST, param)


def test_tables_name_every_parameter_once() -> None:
    """Every parameter of the SDK is carried, dropped or refused, and none is two of these."""
    hints: Any = get_type_hints(response_create_params.ResponseCreateParamsBase)
    assert {*hints, "stream"} == {*CARRIED, *DROPPED, *REFUSED} - {"thinking"}
    assert len(CARRIED) + len(DROPPED) + len(REFUSED) == len({*CARRIED, *DROPPED, *REFUSED})


@given(
    st.dictionaries(
        st.sampled_from(sorted({*CARRIED, *DROPPED, *REFUSED})),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["type", "role", "content", "format", "name", "output"]),
                    inner | st.sampled_from(["function", "message", "function_call_output"]),
                    max_size=4,
                )
            ),
            max_leaves=8,
        ),
        max_size=6,
    )
)
def test_any_json_is_translated_or_refused(body: Json) -> None:
    """Whatever a client sends, it gets a request or an error about its request."""
    assert cause_of(chat_request, body) in (None, Cause.INVALID_REQUEST)
