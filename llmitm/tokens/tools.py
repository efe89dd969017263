"""Tokens of tool definitions, by the rule OpenAI publishes.

Source: OpenAI Cookbook, "How to count tokens with tiktoken", section 7. Nested objects, which
it leaves out, are counted like the outermost one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from llmitm.tokens.count import count_text
from llmitm.tokens.encodings import encoding_for

PER_FUNCTION = {"o200k_base": 7, "cl100k_base": 10}
PER_OBJECT = 3
PER_PROPERTY = 3
PER_ENUM, PER_ENUM_ITEM = -3, 3
END = 12
MAX_DEPTH = 8


def count_tools(tools: Iterable[Any], model: str) -> int:
    """Tokens of `tools`: OpenAI's ``{"function": …}`` or Anthropic's ``input_schema``."""
    functions = [tool.get("function", tool) for tool in tools if isinstance(tool, Mapping)]
    described = [function for function in functions if isinstance(function, Mapping)]
    if not described:
        return 0
    return END + sum(_function(function, model) for function in described)


def _function(function: Mapping[str, Any], model: str) -> int:
    line = f"{function.get('name', '')}:{_description(function)}"
    schema = function.get("parameters") or function.get("input_schema")
    framing = PER_FUNCTION[encoding_for(model)]
    return framing + count_text(line, model) + _properties(schema, model, MAX_DEPTH)


def _properties(schema: Any, model: str, depth: int) -> int:
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping) or not properties or not depth:
        return 0
    return PER_OBJECT + sum(
        _property(str(name), value if isinstance(value, Mapping) else {}, model, depth)
        for name, value in properties.items()
    )


def _property(name: str, schema: Mapping[str, Any], model: str, depth: int) -> int:
    line = f"{name}:{schema.get('type', '')}:{_description(schema)}"
    inner = _properties(schema.get("items", schema), model, depth - 1)
    return PER_PROPERTY + count_text(line, model) + _enum(schema.get("enum"), model) + inner


def _enum(items: Any, model: str) -> int:
    if not isinstance(items, list) or not items:
        return 0
    return PER_ENUM + sum(PER_ENUM_ITEM + count_text(str(item), model) for item in items)


def _description(described: Mapping[str, Any]) -> str:
    return str(described.get("description") or "").removesuffix(".")
