"""A Chat Completions request as a Messages request.

The three tables name every parameter of the OpenAI API and what becomes of it. One that is in
none of them is no parameter of that API and is dropped.
"""

from __future__ import annotations

from typing import Any, Final

from llmitm.dialects.carry import Json, number, object_, objects, refuse, string, strings, sub, text
from llmitm.dialects.claude import takes_effort, takes_sampling
from llmitm.dialects.json_schema import for_anthropic
from llmitm.dialects.openai_to_anthropic_messages import compact, conversation

DEFAULT_MAX_TOKENS: Final = 4096
"""Anthropic wants a limit; this is what a client gets that set none."""

JSON_INSTRUCTION: Final = "Answer with one JSON object and nothing else: no prose, no code fence."

CARRIED: Final[dict[str, str]] = {
    "model": "model",
    "messages": "messages, and system for the roles system and developer",
    "max_completion_tokens": "max_tokens",
    "max_tokens": "max_tokens",
    "temperature": "temperature, at most 1; models from Claude 4.7 on take none",
    "top_p": "top_p, unless temperature is set, which Anthropic does not allow beside it",
    "top_k": "top_k, which OpenAI-compatible servers know too",
    "stop": "stop_sequences",
    "stream": "stream",
    "stream_options": "include_usage decides about the last chunk",
    "tools": "tools, with parameters as input_schema",
    "tool_choice": "tool_choice; allowed_tools also leaves out the other tools",
    "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
    "response_format": "json_schema: output_config.format; json_object: asked for in words",
    "reasoning_effort": "output_config.effort, where the model knows it",
    "user": "metadata.user_id",
    "safety_identifier": "metadata.user_id, before user",
    "thinking": "thinking, for clients that name it in extra_body",
}
DROPPED: Final[dict[str, str]] = {
    "frequency_penalty": "no equivalent; style only",
    "presence_penalty": "no equivalent; style only",
    "metadata": "labels for OpenAI's own dashboard",
    "prediction": "makes an answer faster, not different",
    "prompt_cache_key": "a hint for OpenAI's cache",
    "prompt_cache_options": "a hint for OpenAI's cache",
    "prompt_cache_retention": "a hint for OpenAI's cache",
    "seed": "no equivalent; best effort at OpenAI too",
    "service_tier": "the tiers differ",
    "store": "for OpenAI's own dashboard",
    "verbosity": "no equivalent; style only",
}
REFUSED: Final[dict[str, tuple[tuple[Any, ...], str]]] = {
    "n": ((None, 1), "an Anthropic model gives one answer to a request; ask n times"),
    "logprobs": ((None, False), "Anthropic models give no log probabilities"),
    "top_logprobs": ((None, 0), "Anthropic models give no log probabilities"),
    "logit_bias": ((None, {}), "Anthropic models have no logit bias"),
    "audio": ((None,), "Anthropic models speak no audio"),
    "modalities": ((None, ["text"], []), "Anthropic models answer in text only"),
    "functions": ((None, []), "is out of use; use tools"),
    "function_call": ((None, "auto", "none"), "is out of use; use tool_choice"),
    "web_search_options": ((None,), "OpenAI's web search does not run for Anthropic models"),
    "moderation": ((None,), "OpenAI's moderation does not run for Anthropic models"),
}
"""Parameter: the values that ask for nothing, and why any other is refused."""

_EFFORTS: Final = {"minimal": "low"} | {e: e for e in ("low", "medium", "high", "xhigh", "max")}


def messages_request(body: Json) -> Json:
    """The Messages request that asks what this Chat Completions request asks.

    Raises GatewayError for what can't be asked of an Anthropic model.
    """
    for param, (neutral, why) in REFUSED.items():
        if body.get(param) not in neutral:
            raise refuse(param, why)
    model = string(body.get("model"), "model")
    system, turns = conversation(body.get("messages"))
    system, output = _output(body, model, system)
    request = {
        "model": model,
        "max_tokens": _max_tokens(body),
        "system": _system(system),
        "messages": turns,
        "stop_sequences": _stop(body),
        **_sampling(body, model),
        **_tools(body),
        "output_config": output,
        "thinking": object_(body.get("thinking"), "thinking"),
        "metadata": _metadata(body),
        "stream": body.get("stream"),
    }
    return {key: value for key, value in request.items() if value not in (None, [], {}, "")}


def _max_tokens(body: Json) -> int:
    asked = body.get("max_completion_tokens")
    asked = body.get("max_tokens") if asked is None else asked
    return DEFAULT_MAX_TOKENS if asked is None else int(number(asked, "max_tokens") or 0)


def _system(blocks: list[Json]) -> str | list[Json]:
    """One text where nothing but text is said; blocks where some of them are marked for caching."""
    if all(block.keys() == {"type", "text"} for block in blocks):
        return "\n".join(block["text"] for block in blocks)
    if any(block["type"] != "text" for block in blocks):
        raise refuse("messages", "a system message can only be text")
    return compact(blocks)


def _sampling(body: Json, model: str) -> Json:
    temperature, top_p = (number(body.get(p), p) for p in ("temperature", "top_p"))
    if not takes_sampling(model):
        return {}
    if temperature is not None:
        temperature = min(max(temperature, 0.0), 1.0)
    if top_p is not None and temperature == 1:  # temperature 1 is the default
        temperature = None
    return {
        "temperature": temperature,
        "top_p": top_p if temperature is None else None,
        "top_k": body.get("top_k"),
    }


def _stop(body: Json) -> list[str]:
    sequences = strings(body.get("stop"), "stop")
    if not all(sequence.strip() for sequence in sequences):
        raise refuse("stop", "an Anthropic model can't stop at white space alone")
    return sequences


def _output(body: Json, model: str, system: list[Json]) -> tuple[list[Json], Json]:
    """`output_config`, and the system prompt with what has to be asked in words."""
    output: Json = {}
    effort = body.get("reasoning_effort")
    if isinstance(effort, str) and effort in _EFFORTS and takes_effort(model):
        output["effort"] = _EFFORTS[effort]
    wanted = object_(body.get("response_format"), "response_format")
    match wanted.get("type", "text"):
        case "text":
            pass
        case "json_object":
            system = [*system, {"type": "text", "text": JSON_INSTRUCTION}]
        case "json_schema":
            where = "response_format.json_schema.schema"
            schema = object_(sub(wanted, "json_schema").get("schema"), where)
            output["format"] = {"type": "json_schema", "schema": for_anthropic(schema, where)}
        case kind:
            raise refuse("response_format.type", f"{kind!r} cannot be asked of an Anthropic model")
    return system, output


def _tools(body: Json) -> Json:
    tools = [_tool(t, f"tools[{i}]") for i, t in enumerate(objects(body.get("tools"), "tools"))]
    choice, allowed = _choice(body.get("tool_choice"))
    if allowed is not None:
        tools = [tool for tool in tools if tool["name"] in allowed]
    if not tools:
        return {}
    if body.get("parallel_tool_calls") is False and choice.get("type") != "none":
        choice = {"type": "auto", **choice, "disable_parallel_tool_use": True}
    return {"tools": tools, "tool_choice": choice}


def _tool(tool: Json, where: str) -> Json:
    if tool.get("type") != "function":
        raise refuse(f"{where}.type", "an Anthropic model takes function tools only")
    function = object_(tool.get("function"), f"{where}.function")
    parameters = object_(function.get("parameters"), f"{where}.function.parameters")
    schema = {"type": "object", **parameters}
    strict = function.get("strict") is True
    carried = {
        "name": string(function.get("name"), f"{where}.function.name"),
        "description": function.get("description"),
        "input_schema": for_anthropic(schema, where) if strict else schema,
        "strict": strict or None,
        "cache_control": tool.get("cache_control"),
    }
    return {key: value for key, value in carried.items() if value is not None}


def _choice(choice: object) -> tuple[Json, set[str] | None]:
    """`tool_choice`, and the names of the tools it leaves, where it leaves out any."""
    match choice:
        case None:
            return {}, None
        case "auto" | "none":
            return {"type": choice}, None
        case "required":
            return {"type": "any"}, None
        case {"type": "function", "function": {"name": str(name)}}:
            return {"type": "tool", "name": name}, None
        case {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}:
            names = {text(sub(t, "function"), "name") for t in tools if isinstance(t, dict)}
            return {"type": "any" if mode == "required" else "auto"}, names
    raise refuse("tool_choice", "cannot be asked of an Anthropic model")


def _metadata(body: Json) -> Json:
    user = body.get("safety_identifier") or body.get("user")
    return {"user_id": string(user, "user")} if user else {}
