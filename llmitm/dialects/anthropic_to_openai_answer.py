"""A chat completion as an Anthropic message."""

from __future__ import annotations

from typing import Final

import msgspec

from llmitm.call import Usage
from llmitm.dialects import usage as counts
from llmitm.dialects.anthropic import message_head
from llmitm.dialects.carry import Json, decode, invalid_answer, items, sub, text
from llmitm.dialects.tool_calls import fresh_id

STOP: Final = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
"""OpenAI's finish_reason in Anthropic's words; any other is the end of the turn."""


def message(completion: Json, model: str) -> Json:
    """A chat completion as a message. Raises GatewayError where it is no completion."""
    choices = items(completion, "choices")
    if not choices:
        raise invalid_answer("has no choices")
    said = sub(choices[0], "message")
    calls = items(said, "tool_calls")
    content = [*_spoken(said), *map(_tool_use, calls)]
    return {
        **message_head(message_id(completion), model),
        "content": content,
        "stop_reason": stop_reason(text(choices[0], "finish_reason"), called=bool(calls)),
        "usage": message_usage(sub(completion, "usage")),
    }


def message_id(completion: Json) -> str:
    """A completion's id as a message's."""
    return f"msg_{text(completion, 'id').removeprefix('chatcmpl-')}"


def stop_reason(finish_reason: str, *, called: bool) -> str:
    """Anthropic's stop_reason. Some servers finish with `stop` though a tool is called."""
    reason = STOP.get(finish_reason, "end_turn")
    return "tool_use" if called and reason == "end_turn" else reason


def message_usage(usage: Json) -> Json:
    """OpenAI's token counts as Anthropic's, whose input tokens leave out the cached ones."""
    return dict(counts.to_anthropic(counts.from_openai(usage) or Usage()))


def reasoning(said: Json) -> str:
    """A model's thinking, under either of the names that OpenAI-compatible servers give it."""
    return text(said, "reasoning_content") or text(said, "reasoning")


def _spoken(said: Json) -> list[Json]:
    blocks: list[Json] = []
    if thought := reasoning(said):
        blocks.append({"type": "thinking", "thinking": thought, "signature": ""})
    if spoken := text(said, "content") + text(said, "refusal"):
        blocks.append({"type": "text", "text": spoken})
    return blocks


def _tool_use(call: Json) -> Json:
    function = sub(call, "function")
    try:
        given = decode(text(function, "arguments") or "{}")
    except msgspec.DecodeError:
        given = None
    if not isinstance(given, dict):
        raise invalid_answer("calls a tool with arguments that are no JSON object")
    name = text(function, "name")
    return {"type": "tool_use", "id": text(call, "id") or fresh_id(), "name": name, "input": given}
