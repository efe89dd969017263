"""Conversations and tools: the numbers that OpenAI publishes."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import pytest

from llmitm.tokens import (
    count_messages,
    count_text,
    count_tools,
    image_tokens,
    prompt_tokens,
    prompt_tokens_async,
    upper_estimate,
)

# The example conversations of the OpenAI Cookbook, "How to count tokens with tiktoken".
JARGON = [
    (
        "system",
        None,
        (
            "You are a helpful, pattern-following assistant that translates corporate "
            "jargon into plain English."
        ),
    ),
    ("system", "example_user", "New synergies will help drive top-line growth."),
    ("system", "example_assistant", "Things working well together will increase revenue."),
    (
        "system",
        "example_user",
        (
            "Let's circle back when we have more bandwidth to touch base on "
            "opportunities for increased leverage."
        ),
    ),
    (
        "system",
        "example_assistant",
        ("Let's talk later when we're less busy about how to do better."),
    ),
    (
        "user",
        None,
        ("This late pivot means we don't have time to boil the ocean for the client deliverable."),
    ),
]
WEATHER = [
    (
        "system",
        None,
        ("You are a helpful assistant that can answer to questions about the weather."),
    ),
    ("user", None, "What's the weather like in San Francisco?"),
]
SCHEMA = {
    "type": "object",
    "properties": {
        "location": {
            "type": "string",
            "description": "The city and state, e.g. San Francisco, CA",
        },
        "unit": {
            "type": "string",
            "description": "The unit of temperature to return",
            "enum": ["celsius", "fahrenheit"],
        },
    },
    "required": ["location"],
}
TOOL = {"name": "get_current_weather", "description": "Get the current weather in a given location"}
OPENAI_TOOL = {"type": "function", "function": {**TOOL, "parameters": SCHEMA}}


def conversation(rows: Sequence[tuple[str, str | None, str]]) -> list[dict[str, str]]:
    return [
        {"role": role, "content": content} | ({"name": name} if name else {})
        for role, name, content in rows
    ]


@pytest.mark.parametrize(
    ("model", "tokens"), [("gpt-4o", 124), ("gpt-4o-mini", 124), ("gpt-4", 129)]
)
def test_the_cookbooks_conversation(model: str, tokens: int) -> None:
    """Equals what the API reported for the example."""
    assert count_messages(conversation(JARGON), model) == tokens


@pytest.mark.parametrize(("model", "tokens"), [("gpt-4o", 101), ("gpt-4", 105)])
def test_the_cookbooks_tools(model: str, tokens: int) -> None:
    """Equals what the API reported for the example with a function."""
    assert count_messages(conversation(WEATHER), model, [OPENAI_TOOL]) == tokens


def test_anthropics_tools_count_like_openais() -> None:
    """`input_schema` is read like `parameters`."""
    anthropic = {**TOOL, "input_schema": SCHEMA}
    assert count_tools([anthropic], "claude-x") == count_tools([OPENAI_TOOL], "claude-x")


def test_nested_objects_count() -> None:
    """Objects inside objects and arrays add their properties."""
    nested = {"type": "object", "properties": {"a": {"type": "array", "items": SCHEMA}}}
    flat = {"type": "object", "properties": {"a": {"type": "array"}}}
    inner, outer = ({"name": "f", "parameters": schema} for schema in (flat, nested))
    assert count_tools([outer], "gpt-4o") > count_tools([inner], "gpt-4o") + 20


def test_prompt_tokens_of_pieces() -> None:
    """Counted from its strings, a conversation costs what it costs as messages."""
    rows = [("system", None, "Be brief."), ("user", None, "Why is the sky blue?")]
    texts = [text for role, _, content in rows for text in (role, content)]
    assert prompt_tokens(texts, 2, "gpt-4o") == count_messages(conversation(rows), "gpt-4o")


def test_prompt_tokens_without_messages() -> None:
    """A completion's or an embedding's input has no framing; images add what they cost."""
    assert prompt_tokens(["hello world"], 0, "gpt-4o") == 2
    assert prompt_tokens(["hello world"], 0, "gpt-4o", images=85) == 87


async def test_prompt_tokens_async() -> None:
    """The same number from a thread."""
    assert await prompt_tokens_async(["hello world"], 1, "gpt-4o") == 8


PNG = base64.b64encode(
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (512).to_bytes(4, "big") * 2
).decode()


@pytest.mark.parametrize(
    ("message", "texts", "images"),
    [
        ({"content": [{"type": "text", "text": "hello world"}]}, ["hello world"], 0),
        ({"content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}, [], 765),
        (
            {"content": [{"type": "image_url", "image_url": {"url": "x", "detail": "low"}}]},
            [],
            85,
        ),
        (
            {"content": [{"type": "image", "source": {"type": "base64", "data": PNG}}]},
            [],
            255,
        ),
        ({"content": "hi", "images": [PNG]}, ["hi"], 255),
        (
            {"tool_calls": [{"function": {"name": "f", "arguments": '{"a":1}'}}]},
            ["f", '{"a":1}'],
            0,
        ),
        ({"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}, ["f", '{"a":1}'], 0),
        ({"content": [{"type": "tool_use", "name": "f", "input": {"a": 1}}]}, ["f", '{"a":1}'], 0),
        ({"content": [{"type": "tool_result", "content": "done"}]}, ["done"], 0),
        (
            {"content": [{"type": "tool_result", "content": [{"type": "text", "text": "done"}]}]},
            ["done"],
            0,
        ),
        ({"content": None}, [], 0),
        ({"content": [None, 1, {"text": 2}], "tool_calls": "x", "images": 3}, ["x"], 0),
    ],
)
def test_parts_of_messages(message: dict[str, Any], texts: list[str], images: int) -> None:
    """Text, images, tool calls and results of the three dialects count; junk doesn't."""
    expected = 6 + sum(count_text(text, "gpt-4o") for text in texts) + images
    assert count_messages([message], "gpt-4o") == expected


@pytest.mark.parametrize("messages", [None, "text", {"role": "user"}, [1, None, "x"]])
def test_what_is_no_list_of_messages(messages: Any) -> None:
    """Input of the wrong type counts as an empty conversation."""
    assert count_messages(messages, "gpt-4o", [None, {"function": 3}]) == 3


def test_upper_estimate_covers_conversation_and_tools() -> None:
    """The byte bound holds for the published examples."""
    body = str({"messages": conversation(WEATHER), "tools": [OPENAI_TOOL]})
    assert count_messages(conversation(WEATHER), "gpt-4", [OPENAI_TOOL]) < upper_estimate(len(body))


def test_image_ceiling_covers_every_size() -> None:
    """No size or detail costs more than the bound that reservations use."""
    for model in ("gpt-4o", "gpt-4o-mini", "gpt-4.1-nano", "o4-mini", "claude-sonnet-4-5"):
        costs = [image_tokens(model, (w, h)) for w in (1, 700, 9000) for h in (1, 800, 9000)]
        assert max(costs) <= upper_estimate(0, images=1, model=model)
