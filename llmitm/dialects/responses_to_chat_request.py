"""A Responses request as a Chat Completions request.

The three tables name every parameter of the Responses API and what becomes of it. One that is in
none of them is no parameter of that API and is dropped.
"""

from __future__ import annotations

from typing import Any, Final

from llmitm.dialects.carry import Json, number, object_, objects, refuse, string, strings
from llmitm.dialects.responses_to_chat_input import conversation

CARRIED: Final[dict[str, str]] = {
    "model": "model",
    "input": "messages; calls and their results become tool_calls and messages of the role tool",
    "instructions": "a first message of the role system",
    "max_output_tokens": "max_completion_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_logprobs": "top_logprobs, with logprobs",
    "include": "message.output_text.logprobs: logprobs; the rest is about tools that run at OpenAI",
    "stream": "stream, with include_usage, since these streams report usage",
    "tools": "tools of the type function",
    "tool_choice": "tool_choice",
    "parallel_tool_calls": "parallel_tool_calls",
    "text": "format: response_format; verbosity is style only",
    "reasoning": "effort: reasoning_effort",
    "safety_identifier": "user",
    "user": "user, after safety_identifier",
    "thinking": "thinking, for an Anthropic provider and clients that name it in extra_body",
}
DROPPED: Final[dict[str, str]] = {
    "access_programs": "about models of OpenAI",
    "context_management": "a prompt that is too long is refused, and never cut",
    "image": "makes a prompt smaller, and says no more",
    "max_tool_calls": "counts calls of tools that run at OpenAI",
    "metadata": "labels for OpenAI's own dashboard; the response repeats them",
    "prompt_cache_key": "a hint for OpenAI's cache",
    "prompt_cache_options": "a hint for OpenAI's cache",
    "prompt_cache_retention": "a hint for OpenAI's cache",
    "service_tier": "the tiers differ",
    "store": "nothing is kept, and the response says so",
    "stream_options": "obfuscation is padding",
    "truncation": "a prompt that is too long is refused, and never cut",
}
_KEPT: Final = "is kept at OpenAI and nowhere else"
REFUSED: Final[dict[str, tuple[tuple[Any, ...], str]]] = {
    "background": ((None, False), "an answer can't be fetched later; wait for it, or stream it"),
    "conversation": ((None,), f"{_KEPT}; send the whole conversation as input"),
    "moderation": ((None,), "OpenAI's moderation does not run for other providers' models"),
    "previous_response_id": ((None, ""), f"{_KEPT}; send the whole conversation as input"),
    "prompt": ((None,), f"a stored prompt {_KEPT}; send its text as instructions"),
}
"""Parameter: the values that ask for nothing, and why any other is refused."""

_LOGPROBS: Final = "message.output_text.logprobs"
_ELSEWHERE: Final = "send function tools only, or route the model to an OpenAI provider"


def chat_request(body: Json, *, thinking: bool = False) -> Json:
    """The Chat Completions request that asks what this Responses request asks.

    With `thinking`, what a Claude model thought goes back to it. Raises GatewayError for what
    can't be asked of any other API.
    """
    for param, (neutral, why) in REFUSED.items():
        if body.get(param) not in neutral:
            raise refuse(param, why)
    stream, reasoning = body.get("stream"), object_(body.get("reasoning"), "reasoning")
    limit = number(body.get("max_output_tokens"), "max_output_tokens")
    request = {
        "model": string(body.get("model"), "model"),
        "messages": conversation(body.get("instructions"), body.get("input"), thinking=thinking),
        "max_completion_tokens": None if limit is None else int(limit),
        "temperature": number(body.get("temperature"), "temperature"),
        "top_p": number(body.get("top_p"), "top_p"),
        **_logprobs(body),
        **_tools(body),
        "response_format": _response_format(object_(body.get("text"), "text").get("format")),
        "reasoning_effort": reasoning.get("effort"),
        "thinking": body.get("thinking") if thinking else None,
        "user": body.get("safety_identifier") or body.get("user"),
        "stream": stream,
        "stream_options": {"include_usage": True} if stream is True else None,
    }
    return {key: value for key, value in request.items() if value is not None}


def _logprobs(body: Json) -> Json:
    top = number(body.get("top_logprobs"), "top_logprobs") or None
    if top is None and _LOGPROBS not in strings(body.get("include"), "include"):
        return {}
    return {"logprobs": True, "top_logprobs": top}


def _tools(body: Json) -> Json:
    tools = [_tool(t, f"tools[{i}]") for i, t in enumerate(objects(body.get("tools"), "tools"))]
    if not tools:
        return {}
    return {
        "tools": tools,
        "tool_choice": _choice(body.get("tool_choice")),
        "parallel_tool_calls": body.get("parallel_tool_calls"),
    }


def _tool(tool: Json, where: str) -> Json:
    if tool.get("type") != "function":
        raise refuse(f"{where}.type", f"{tool.get('type')!r} is for OpenAI's models; {_ELSEWHERE}")
    function = {
        "name": string(tool.get("name"), f"{where}.name"),
        "description": tool.get("description"),
        "parameters": tool.get("parameters"),
        "strict": True if tool.get("strict") is True else None,
    }
    return {"type": "function", "function": {k: v for k, v in function.items() if v is not None}}


def _choice(choice: object) -> str | Json | None:
    match choice:
        case None:
            return None
        case "auto" | "none" | "required":
            return str(choice)
        case {"type": "function", "name": str(name)}:
            return _named(name)
        case {"type": "allowed_tools", "mode": mode, "tools": list(tools)}:
            names = [t.get("name") if isinstance(t, dict) else None for t in tools]
            allowed = [_named(string(name, "tool_choice.tools")) for name in names]
            return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": allowed}}
    raise refuse("tool_choice", _ELSEWHERE)


def _named(name: str) -> Json:
    return {"type": "function", "function": {"name": name}}


def _response_format(wanted: object) -> Json | None:
    form = object_(wanted, "text.format")
    match form.get("type", "text"):
        case "text":
            return None
        case "json_object":
            return {"type": "json_object"}
        case "json_schema":
            schema = object_(form.get("schema"), "text.format.schema")
            described = {key: form.get(key) for key in ("name", "description", "strict")}
            described = {key: value for key, value in described.items() if value is not None}
            return {"type": "json_schema", "json_schema": {**described, "schema": schema}}
        case kind:
            raise refuse("text.format.type", f"no format of an answer: {kind!r}")
