"""Anthropic's Messages API: /v1/messages, /v1/messages/count_tokens and /v1/models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmitm.call import Usage
from llmitm.simulator.answer import (
    Answer,
    Ask,
    Tool,
    answer,
    chosen_tool,
    conversation,
    prompt_tokens,
)
from llmitm.simulator.exchange import Exchange
from llmitm.simulator.frames import HOLE, encode, mould, named
from llmitm.simulator.ids import new_id
from llmitm.simulator.openai_chat import json_schema
from llmitm.simulator.refusals import REFUSALS, Refused, invalid
from llmitm.simulator.reply import SSE, Event, Mark, Reply
from llmitm.simulator.text import Turn

type Json = dict[str, Any]

_STOP = {"stop": "end_turn", "length": "max_tokens", "tool": "tool_use", "filter": "refusal"}


def messages(ex: Exchange) -> Reply:
    """Answers with one content block: text or a tool use."""
    limit = ex.limit("max_tokens")
    if limit is None:
        raise Refused(invalid("max_tokens: Field required"))
    ask = _ask(ex, limit)
    said = answer(ex, ask)
    if ex.body.get("stream"):
        return Reply("anthropic", steps=_stream(ex, said), content_type=SSE)
    return Reply("anthropic", encode(_message(ex, said)))


def count_tokens(ex: Exchange) -> Reply:
    return Reply("anthropic", encode({"input_tokens": prompt_tokens(_ask(ex, None))}))


def models(ex: Exchange) -> Reply:
    known = [_model(name) for name in ex.settings.models]
    first, last = (known[0]["id"], known[-1]["id"]) if known else (None, None)
    body = {"data": known, "has_more": False, "first_id": first, "last_id": last}
    return Reply("anthropic", encode(body))


def model(ex: Exchange) -> Reply:
    if ex.last not in ex.settings.models:
        raise Refused(REFUSALS["404"])
    return Reply("anthropic", encode(_model(ex.last)))


def _model(name: str) -> Json:
    made = "2026-01-01T00:00:00Z"
    return {
        "type": "model",
        "id": name,
        "display_name": name,
        "created_at": made,
        "lifecycle": "active",
    }


def _ask(ex: Exchange, limit: int | None) -> Ask:
    listed = ex.list_of("messages")
    turns, prefill = conversation(ex, listed, ex.body.get("system"), continues=True)
    if prefill is not None and prefill != prefill.rstrip():
        raise Refused(
            invalid("messages: final assistant content cannot end with trailing whitespace")
        )
    output = ex.body.get("output_config")
    return Ask(
        turns,
        prefill,
        limit,
        schema=json_schema(output.get("format")) if isinstance(output, Mapping) else None,
        tool=_tool(ex, turns),
    )


def _tool(ex: Exchange, turns: Sequence[Turn]) -> Tool | None:
    tools = [tool for tool in ex.objects("tools") if isinstance(tool.get("name"), str)]
    offered = {tool["name"]: tool.get("input_schema") for tool in tools}
    match ex.body.get("tool_choice"):
        case {"type": "none"}:
            return None
        case {"type": "tool", "name": str(name)}:
            return chosen_tool(turns, offered, name)
    return chosen_tool(turns, offered, None)


def _message(ex: Exchange, said: Answer) -> Json:
    block: Json = {"type": "text", "text": said.text}
    if said.tool:
        block = {**_tool_use(said.tool), "input": said.arguments}
    return {
        **_envelope(ex),
        "content": [block],
        "stop_reason": _STOP[said.finish],
        "usage": {**_input(said.usage), **_output(said.usage)},
    }


def _envelope(ex: Exchange) -> Json:
    return {
        "id": new_id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": ex.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _tool_use(tool: Tool) -> Json:
    return {"type": "tool_use", "id": new_id("toolu_"), "name": tool.name, "input": {}}


def _input(usage: Usage) -> Json:
    """Input tokens; those read from and written to the cache are counted apart."""
    written = usage.cache_write_tokens + usage.cache_write_1h_tokens
    return {
        "input_tokens": max(0, usage.prompt_tokens - usage.cached_tokens - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": usage.cached_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "service_tier": "standard",
    }


def _output(usage: Usage) -> Json:
    output: Json = {"output_tokens": usage.completion_tokens}
    if usage.reasoning_tokens:
        output["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return output


def _stream(ex: Exchange, said: Answer) -> Iterator[Event]:
    opened = {**_envelope(ex), "usage": {**_input(said.usage), "output_tokens": 1}}
    yield Mark.START, named({"type": "message_start", "message": opened})
    block = _tool_use(said.tool) if said.tool else {"type": "text", "text": ""}
    yield (
        Mark.START,
        named({"type": "content_block_start", "index": 0, "content_block": block}),
    )
    yield Mark.START, named({"type": "ping"})
    delta = {"type": "text_delta", "text": HOLE}
    if said.tool:
        delta = {"type": "input_json_delta", "partial_json": HOLE}
    token = mould(named({"type": "content_block_delta", "index": 0, "delta": delta}))
    for piece in said.pieces:
        yield Mark.TOKEN, token(piece)
    yield Mark.FINISH, named({"type": "content_block_stop", "index": 0})
    stop = {"stop_reason": _STOP[said.finish], "stop_sequence": None}
    usage = _output(said.usage)
    yield Mark.FINISH, named({"type": "message_delta", "delta": stop, "usage": usage})
    yield Mark.END, named({"type": "message_stop"})
