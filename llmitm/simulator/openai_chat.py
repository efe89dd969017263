"""OpenAI's chat completions: /v1/chat/completions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from llmitm.call import Usage
from llmitm.simulator.answer import Answer, Ask, Tool, answer, chosen_tool, conversation
from llmitm.simulator.exchange import Exchange
from llmitm.simulator.frames import DONE, HOLE, data, encode, mould
from llmitm.simulator.ids import new_id
from llmitm.simulator.refusals import Refused, invalid
from llmitm.simulator.reply import SSE, Event, Mark, Reply
from llmitm.simulator.schema import Schema
from llmitm.simulator.text import Turn

FINISH = {"stop": "stop", "length": "length", "tool": "tool_calls", "filter": "content_filter"}
_MOST_CHOICES = 128


def chat(ex: Exchange) -> Reply:
    """Answers a chat completion, streamed or not."""
    ask = _ask(ex)
    answers = [answer(ex, ask, choice) for choice in range(choices(ex))]
    if ex.body.get("stream"):
        return Reply("openai", steps=_stream(ex, answers), content_type=SSE)
    head = _head(ex, "chat.completion")
    said = [_choice(index, one) for index, one in enumerate(answers)]
    return Reply("openai", encode({**head, "choices": said, "usage": usage_object(answers)}))


def choices(ex: Exchange) -> int:
    """How many choices are asked for. Raises Refused."""
    wanted = ex.limit("n") or 1
    if wanted > _MOST_CHOICES:
        raise Refused(invalid(f"'n' must be at most {_MOST_CHOICES}.", "n"))
    return wanted


def wants_usage(ex: Exchange) -> bool:
    """Whether a stream shall end with its usage."""
    options = ex.body.get("stream_options")
    return isinstance(options, Mapping) and bool(options.get("include_usage"))


def usage_object(answers: Sequence[Answer], prompts: int = 1) -> dict[str, Any]:
    """The usage of all choices: each prompt once, and every completion."""
    first = answers[0].usage
    prompt = sum(one.usage.prompt_tokens for one in answers[:: len(answers) // prompts])
    completion = sum(one.usage.completion_tokens for one in answers)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": _prompt_details(first),
        "completion_tokens_details": {
            "reasoning_tokens": sum(one.usage.reasoning_tokens for one in answers),
            "audio_tokens": first.audio_completion_tokens,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _prompt_details(usage: Usage) -> dict[str, int]:
    details = {"cached_tokens": usage.cached_tokens, "audio_tokens": usage.audio_prompt_tokens}
    if usage.cache_write_tokens:
        details["cache_write_tokens"] = usage.cache_write_tokens
    return details


def functions(ex: Exchange) -> dict[str, Any]:
    """The parameters of each function among the tools, by name. Raises Refused."""
    found: dict[str, Any] = {}
    for tool in ex.objects("tools"):
        match tool:
            case {"function": {"name": str(name)} as function}:
                found[name] = function.get("parameters")
            case {"type": "function"}:
                raise Refused(invalid("Each function must have a name.", "tools"))
    return found


def json_schema(wanted: Any) -> Schema | None:
    """The schema a `response_format` asks for, `{}` for any object, None for text."""
    match wanted:
        case {"type": "json_schema", "json_schema": {"schema": dict(schema)}}:
            return schema
        case {"type": "json_schema", "schema": dict(schema)}:
            return schema
        case {"type": "json_object" | "json_schema"}:
            return {}
    return None


def _ask(ex: Exchange) -> Ask:
    turns, prefill = conversation(ex, ex.list_of("messages"), continues=False)
    return Ask(
        turns,
        prefill,
        limit=ex.limit("max_completion_tokens", "max_tokens"),
        schema=json_schema(ex.body.get("response_format")),
        tool=_tool(ex, turns),
    )


def _tool(ex: Exchange, turns: Sequence[Turn]) -> Tool | None:
    match ex.body.get("tool_choice"):
        case "none":
            return None
        case {"function": {"name": str(name)}}:
            return chosen_tool(turns, functions(ex), name)
    return chosen_tool(turns, functions(ex), None)


def _head(ex: Exchange, kind: str) -> dict[str, Any]:
    return {
        "id": new_id("chatcmpl-"),
        "object": kind,
        "created": int(time.time()),
        "model": ex.model,
        "service_tier": "default",
        "system_fingerprint": "fp_simulator",
    }


def _choice(index: int, one: Answer) -> dict[str, Any]:
    said: dict[str, Any] = {"content": one.text}
    if one.tool:
        said = {"content": None, "tool_calls": [_call(one.tool, one.text)]}
    message = {"role": "assistant", **said, "refusal": None, "annotations": []}
    finish = FINISH[one.finish]
    return {"index": index, "message": message, "logprobs": None, "finish_reason": finish}


def _call(tool: Tool, arguments: str) -> dict[str, Any]:
    function = {"name": tool.name, "arguments": arguments}
    return {"id": new_id("call_"), "type": "function", "function": function}


def _stream(ex: Exchange, answers: Sequence[Answer]) -> Iterator[Event]:
    head = _head(ex, "chat.completion.chunk")
    chunk = _chunks(head, usage=wants_usage(ex))
    tokens = []
    for index, one in enumerate(answers):
        yield Mark.START, chunk(index, _opening(one), None)
        tokens.append(mould(chunk(index, _delta(one), None)))
    for place in range(max(len(one.pieces) for one in answers)):
        for one, token in zip(answers, tokens, strict=True):
            if place < len(one.pieces):
                yield Mark.TOKEN, token(one.pieces[place])
    for index, one in enumerate(answers):
        yield Mark.FINISH, chunk(index, {}, FINISH[one.finish])
    if wants_usage(ex):
        yield Mark.USAGE, data({**head, "choices": [], "usage": usage_object(answers)})
    yield Mark.END, DONE


def _chunks(
    head: dict[str, Any], *, usage: bool
) -> Callable[[int, dict[str, Any], str | None], bytes]:
    """Makes a stream's chunks, which share one head."""
    # With include_usage every chunk has the field, and only the last one a value.
    tail = {"usage": None} if usage else {}

    def chunk(index: int, delta: dict[str, Any], finish: str | None) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
        return data({**head, "choices": [choice], **tail})

    return chunk


def _opening(one: Answer) -> dict[str, Any]:
    if one.tool is None:
        return {"role": "assistant", "content": "", "refusal": None}
    call = {"index": 0, **_call(one.tool, "")}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _delta(one: Answer) -> dict[str, Any]:
    if one.tool is None:
        return {"content": HOLE}
    return {"tool_calls": [{"index": 0, "function": {"arguments": HOLE}}]}
