"""Tokens of tool definitions, by OpenAI's published rule."""

from __future__ import annotations

from typing import Any

import pytest

from llmitm.tokens import count_messages, count_tools

# The example of the rule's source, with the totals that the API reports for it.
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_current_weather",
        "description": "Get the current weather in a given location",
        "parameters": {
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
        },
    },
}
QUESTION = [
    {
        "role": "system",
        "content": "You are a helpful assistant that can answer to questions about the weather.",
    },
    {"role": "user", "content": "What's the weather like in San Francisco?"},
]


@pytest.mark.parametrize(
    ("model", "tokens"),
    [("gpt-3.5-turbo", 105), ("gpt-4", 105), ("gpt-4o", 101), ("gpt-4o-mini", 101)],
)
def test_published_example(model: str, tokens: int) -> None:
    """The cookbook's conversation with a tool has the number that it states."""
    assert count_messages(QUESTION, model, [WEATHER]) == tokens


def test_both_spellings() -> None:
    """Anthropic's definition of the same tool counts the same."""
    function = WEATHER["function"]
    assert isinstance(function, dict)
    claude = {
        "name": function["name"],
        "description": function["description"],
        "input_schema": function["parameters"],
    }
    assert count_tools([claude], "gpt-4o") == count_tools([WEATHER], "gpt-4o")


def test_nested_objects() -> None:
    """Objects in objects and lists count like the outermost one; the deepest come to an end."""

    def tool(depth: int) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "string"}
        for _ in range(depth):
            schema = {"type": "array", "items": {"properties": {"x": schema}}}
        return {"name": "t", "input_schema": {"properties": {"top": schema}}}

    counts = [count_tools([tool(depth)], "gpt-4o") for depth in range(4)]
    assert counts == sorted(set(counts))
    assert count_tools([tool(500)], "gpt-4o") == count_tools([tool(50)], "gpt-4o")


@pytest.mark.parametrize(
    "tools", [[], [5], ["text"], [None], [{"function": "x"}], [[]], [{"function": None}]]
)
def test_no_tools(tools: list[Any]) -> None:
    """What describes no function counts nothing."""
    assert count_tools(tools, "gpt-4o") == 0


@pytest.mark.parametrize(
    "parameters",
    [None, 5, {}, {"properties": 5}, {"properties": {}}, {"properties": {"x": None}}],
)
def test_odd_schemas(parameters: Any) -> None:
    """A schema of another shape is the provider's to refuse, not ours to fail on."""
    assert count_tools([{"name": "f", "input_schema": parameters}], "gpt-4o") > 0
