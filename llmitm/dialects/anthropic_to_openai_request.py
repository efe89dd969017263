"""A Messages request as a Chat Completions request.

The three tables name every parameter of the Anthropic API and what becomes of it. One that is in
none of them is no parameter of that API and is dropped.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

from llmitm.dialects.anthropic_to_openai_messages import conversation
from llmitm.dialects.carry import Json, number, object_, objects, refuse, string, strings, sub
from llmitm.dialects.json_schema import is_strict

CARRIED: Final[dict[str, str]] = {
    "model": "model",
    "max_tokens": "max_completion_tokens",
    "messages": "messages; tool results become messages of the role tool, thinking is left out",
    "system": "a first message of the role system",
    "temperature": "temperature",
    "top_p": "top_p",
    "stop_sequences": "stop",
    "stream": "stream, with include_usage, since Anthropic's streams report usage",
    "tools": "tools, with input_schema as parameters",
    "tool_choice": "tool_choice; disable_parallel_tool_use: parallel_tool_calls",
    "metadata": "user_id: user, hashed where it is longer than OpenAI allows",
    "output_config": "format: response_format; effort: reasoning_effort of a reasoning model",
    "output_format": "response_format",
    "thinking": "budget_tokens: reasoning_effort of a reasoning model",
}
DROPPED: Final[dict[str, str]] = {
    "cache_control": "OpenAI caches by itself",
    "context_management": "about Anthropic's own tools and thinking",
    "diagnostics": "about Anthropic's cache",
    "service_tier": "the tiers differ",
    "speed": "makes an answer faster, not different",
    "top_k": "no equivalent; top_p does nearly the same",
}
REFUSED: Final[dict[str, str]] = {
    "container": "Anthropic's code containers do not run for OpenAI models",
    "inference_geo": "where an OpenAI provider computes can't be chosen in a request",
    "mcp_servers": "Anthropic's MCP connector does not run for OpenAI models",
}

_REASONING_MODEL: Final = re.compile(r"(^|/)(o\d|gpt-[5-9](?!.*-chat))")
"""Models that take `reasoning_effort`; any other of OpenAI's refuses a request that has it."""

_BUDGETS: Final = ((2048, "low"), (8192, "medium"))
_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
_MAX_USER: Final = 64


def chat_request(body: Json) -> Json:
    """The Chat Completions request that asks what this Messages request asks.

    Raises GatewayError for what can't be asked of an OpenAI model.
    """
    for param, why in REFUSED.items():
        if body.get(param):
            raise refuse(param, why)
    model = string(body.get("model"), "model")
    stream = body.get("stream")
    request = {
        "model": model,
        "messages": conversation(body.get("system"), body.get("messages")),
        "max_completion_tokens": body.get("max_tokens"),
        "temperature": number(body.get("temperature"), "temperature"),
        "top_p": number(body.get("top_p"), "top_p"),
        "stop": strings(body.get("stop_sequences"), "stop_sequences") or None,
        **_tools(body),
        "response_format": _response_format(body),
        "reasoning_effort": _effort(body) if _REASONING_MODEL.search(model) else None,
        "user": _user(body),
        "stream": stream,
        "stream_options": {"include_usage": True} if stream is True else None,
    }
    return {key: value for key, value in request.items() if value is not None}


def _tools(body: Json) -> Json:
    tools = [_tool(t, f"tools[{i}]") for i, t in enumerate(objects(body.get("tools"), "tools"))]
    if not tools:
        return {}
    choice = object_(body.get("tool_choice"), "tool_choice")
    parallel = False if choice.get("disable_parallel_tool_use") is True else None
    return {"tools": tools, "tool_choice": _choice(choice), "parallel_tool_calls": parallel}


def _tool(tool: Json, where: str) -> Json:
    if tool.get("type") not in (None, "custom"):
        raise refuse(f"{where}.type", f"{tool['type']!r} does not run for an OpenAI model")
    schema = object_(tool.get("input_schema"), f"{where}.input_schema")
    function = {
        "name": string(tool.get("name"), f"{where}.name"),
        "description": tool.get("description"),
        "parameters": schema,
        "strict": True if tool.get("strict") is True and is_strict(schema) else None,
    }
    return {"type": "function", "function": {k: v for k, v in function.items() if v is not None}}


def _choice(choice: Json) -> str | Json | None:
    match choice.get("type"):
        case None:
            return None
        case "auto" | "none" as kind:
            return str(kind)
        case "any":
            return "required"
        case "tool":
            name = string(choice.get("name"), "tool_choice.name")
            return {"type": "function", "function": {"name": name}}
    raise refuse("tool_choice.type", "must be auto, any, tool or none")


def _response_format(body: Json) -> Json | None:
    wanted = sub(sub(body, "output_config"), "format") or sub(body, "output_format")
    if not wanted:
        return None
    schema: Any = wanted.get("schema")
    if wanted.get("type") != "json_schema" or not isinstance(schema, dict):
        raise refuse("output_config.format", "must be a json_schema with a schema")
    described = {"name": "answer", "schema": schema, "strict": is_strict(schema)}
    return {"type": "json_schema", "json_schema": described}


def _effort(body: Json) -> str | None:
    effort = sub(body, "output_config").get("effort")
    if effort in _EFFORTS:
        return str(effort)
    thinking = sub(body, "thinking")
    if thinking.get("type") != "enabled":
        return None
    budget = number(thinking.get("budget_tokens"), "thinking.budget_tokens") or 0
    return next((effort for most, effort in _BUDGETS if budget <= most), "high")


def _user(body: Json) -> str | None:
    user = sub(body, "metadata").get("user_id")
    if not isinstance(user, str) or not user:
        return None
    return user if len(user) <= _MAX_USER else hashlib.sha256(user.encode()).hexdigest()
