"""Ollama's requests become requests of the OpenAI API, or are refused with a parameter named."""

from __future__ import annotations

from typing import Any

import ollama
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.dialects.ollama_to_openai_request import (
    CARRIED,
    DROPPED,
    DROPPED_OPTIONS,
    OPTIONS,
    REFUSED,
    chat_request,
    embeddings_request,
    generate_request,
)
from llmitm.errors import Cause, GatewayError
from tests.dialects.streams import Json, cause_of

HI: Json = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
STREAM: Json = {"stream": True, "stream_options": {"include_usage": True}}
SCHEMA: Json = {"type": "object", "properties": {"n": {"type": "integer"}}}
TOOL: Json = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}

CASES: list[tuple[str, Json, Json]] = [
    ("a stream by default", {}, STREAM),
    ("a whole answer", {"stream": False}, {"stream": False}),
    (
        "options",
        {
            "options": {
                "num_predict": 7,
                "temperature": 3,
                "top_p": 0.5,
                "seed": 42,
                "stop": ["a"],
                "presence_penalty": 0.1,
                "frequency_penalty": 0.2,
                "num_ctx": 8192,
                "top_k": 40,
            }
        },
        {
            **STREAM,
            "max_completion_tokens": 7,
            "temperature": 2.0,
            "top_p": 0.5,
            "seed": 42,
            "stop": ["a"],
            "presence_penalty": 0.1,
            "frequency_penalty": 0.2,
        },
    ),
    ("no limit", {"options": {"num_predict": -1}}, STREAM),
    ("JSON", {"format": "json"}, {**STREAM, "response_format": {"type": "json_object"}}),
    ("no format", {"format": ""}, STREAM),
    (
        "a schema",
        {"format": SCHEMA},
        {
            **STREAM,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": SCHEMA, "strict": False},
            },
        },
    ),
    ("tools", {"tools": [TOOL]}, {**STREAM, "tools": [TOOL]}),
    ("no tools", {"tools": []}, STREAM),
    ("thinking", {"think": True}, {**STREAM, "reasoning_effort": "medium"}),
    ("how much thinking", {"think": "high"}, {**STREAM, "reasoning_effort": "high"}),
    ("no thinking", {"think": False}, STREAM),
    (
        "log probabilities",
        {"logprobs": True, "top_logprobs": 2},
        {**STREAM, "logprobs": True, "top_logprobs": 2},
    ),
    ("what is dropped", {"keep_alive": "5m"}, STREAM),
]


@pytest.mark.parametrize(("what", "asked", "expected"), CASES, ids=[c[0] for c in CASES])
def test_parameters(what: str, asked: Json, expected: Json) -> None:
    """Each parameter as OpenAI has it, and nothing else; the same for chat and generate."""
    assert chat_request(HI | asked) == HI | expected, what
    assert generate_request({"model": "m", "prompt": "hi"} | asked) == HI | expected, what


def test_generate_with_a_system_prompt_and_images() -> None:
    """System prompt and images of /api/generate become messages."""
    body = {"model": "m", "prompt": "What?", "system": "Be brief.", "images": ["/9j/4AAQ"]}
    assert generate_request(body)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What?"},
                {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/4AAQ"}},
            ],
        },
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"input": "a"}, {"input": "a"}),
        ({"input": ["a", "b"], "dimensions": 3}, {"input": ["a", "b"], "dimensions": 3}),
        ({"prompt": "a", "keep_alive": 0}, {"input": "a"}),
    ],
)
def test_embeddings(body: Json, expected: Json) -> None:
    """Inputs of /api/embed, and the prompt of the older /api/embeddings."""
    request = embeddings_request({"model": "m", **body})
    assert request == {"model": "m", "encoding_format": "float", **expected}


REFUSALS: list[tuple[Any, Json, str]] = [
    (chat_request, {"model": "m", "messages": []}, "messages"),
    (chat_request, {"model": "m"}, "messages"),
    (chat_request, {**HI, "model": 1}, "model"),
    (chat_request, {**HI, "format": "yaml"}, "format"),
    (chat_request, {**HI, "options": {"temperature": "hot"}}, "options.temperature"),
    (chat_request, {**HI, "options": {"stop": 1}}, "options.stop"),
    (chat_request, {**HI, "options": []}, "options"),
    (generate_request, {"model": "m"}, "messages"),
    (generate_request, {"model": "m", "prompt": "a", "suffix": "b"}, "suffix"),
    (generate_request, {"model": "m", "prompt": "a", "raw": True}, "raw"),
    (generate_request, {"model": "m", "prompt": "a", "template": "{{ .Prompt }}"}, "template"),
    (generate_request, {"model": "m", "prompt": "a", "context": [1, 2]}, "context"),
    (generate_request, {"model": "m", "prompt": "a", "width": 512}, "width"),
    (generate_request, {"model": "m", "prompt": 3}, "prompt"),
    (embeddings_request, {"model": "m"}, "input"),
    (embeddings_request, {"model": "m", "input": []}, "input"),
    (embeddings_request, {"model": "m", "input": [[1, 2]]}, "input"),
]


@pytest.mark.parametrize(("translate", "body", "param"), REFUSALS)
def test_refusals(translate: Any, body: Json, param: str) -> None:
    """What an OpenAI provider can't do is refused, with the parameter's name."""
    with pytest.raises(GatewayError) as refusal:
        translate(body)
    assert refusal.value.cause is Cause.INVALID_REQUEST
    assert refusal.value.param == param


def test_tables_name_every_parameter_once() -> None:
    """Every parameter and option of the SDK is in exactly one table."""
    types = ollama._types
    requests = (types.ChatRequest, types.GenerateRequest, types.EmbedRequest)
    known = {name for request in requests for name in request.model_fields}
    tables = [*CARRIED, *DROPPED, *REFUSED]
    assert known <= set(tables)
    assert len(tables) == len(set(tables))
    options = [*OPTIONS, *DROPPED_OPTIONS]
    assert set(ollama.Options.model_fields) <= set(options)
    assert len(options) == len(set(options))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "images", "tool_calls", "function", "arguments"])
            | st.text(max_size=3),
            inner | st.sampled_from(["user", "assistant", "tool"]),
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
    for translate in (chat_request, generate_request, embeddings_request):
        for body in (asked, HI | asked, HI | asked | {"messages": messages}):
            assert cause_of(translate, body) in (None, Cause.INVALID_REQUEST)
