"""An Anthropic message as a chat completion."""

from __future__ import annotations

import time
from typing import Final

from llmitm.call import Usage
from llmitm.dialects import usage as counts
from llmitm.dialects.carry import Json, encode, invalid_answer, items, sub, text

FINISH: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""Anthropic's stop_reason in OpenAI's words; any other is a stop."""


def chat_completion(message: Json, model: str) -> Json:
    """An Anthropic message as a chat completion. Raises GatewayError where it is no message."""
    if not isinstance(message.get("content"), list):
        raise invalid_answer("has no content")
    choice = {
        "index": 0,
        "message": _message(message),
        "logprobs": None,
        "finish_reason": FINISH.get(text(message, "stop_reason"), "stop"),
    }
    return {
        "id": completion_id(text(message, "id")),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [choice],
        "usage": chat_usage(sub(message, "usage")),
    }


def completion_id(message_id: str) -> str:
    """The id under which OpenAI clients see an Anthropic message."""
    return f"chatcmpl-{message_id.removeprefix('msg_')}"


def chat_usage(usage: Json) -> Json:
    """Anthropic's token counts as OpenAI's, whose prompt tokens include the cached ones."""
    counted = counts.from_anthropic(usage) or Usage()
    said = counts.to_openai(counted)
    written = counted.cache_write_tokens + counted.cache_write_1h_tokens
    said["prompt_tokens_details"]["cache_write_tokens"] = written
    return said


def _message(message: Json) -> Json:
    blocks = items(message, "content")
    said = "".join(text(block, "text") for block in blocks if block.get("type") == "text")
    thoughts = [b for b in blocks if b.get("type") in ("thinking", "redacted_thinking")]
    calls = [_tool_call(block) for block in blocks if block.get("type") == "tool_use"]
    refusal = text(sub(message, "stop_details"), "explanation") or None
    result: Json = {"role": "assistant", "content": said or None, "refusal": refusal}
    if reasoning := "".join(text(block, "thinking") for block in thoughts):
        result["reasoning_content"] = reasoning
    if thoughts:
        result["thinking_blocks"] = thoughts
    if calls:
        result["tool_calls"] = calls
    return result


def _tool_call(block: Json) -> Json:
    function = {"name": text(block, "name"), "arguments": encode(sub(block, "input")).decode()}
    return {"id": text(block, "id"), "type": "function", "function": function}
