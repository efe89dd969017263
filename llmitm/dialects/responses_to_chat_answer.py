"""A chat completion as a response."""

from __future__ import annotations

from collections.abc import Iterator

from llmitm.dialects import tool_calls
from llmitm.dialects.anthropic_to_openai_answer import reasoning
from llmitm.dialects.carry import Json, invalid_answer, items, sub, text
from llmitm.dialects.response_object import (
    ResponseObject,
    call_item,
    fresh_id,
    message_item,
    reasoning_item,
    refusal_part,
    status,
    text_part,
)
from llmitm.dialects.sealed_thoughts import sealed, thought_id


def response(completion: Json, frame: ResponseObject) -> Json:
    """A chat completion as a response. Raises GatewayError where it is no completion."""
    choices = items(completion, "choices")
    if not choices:
        raise invalid_answer("has no choices")
    finish = text(choices[0], "finish_reason")
    said = sub(choices[0], "message")
    output = [*_thoughts(said), *_spoken(choices[0]), *map(_call, items(said, "tool_calls"))]
    output = output or [message_item(fresh_id("msg"), [text_part("", [])], "completed")]
    if "status" in output[-1]:
        output[-1]["status"] = status(finish)
    return frame.ended(output, finish, sub(completion, "usage"))


def logprobs(choice: Json) -> list[Json]:
    """The log probabilities of a choice's text."""
    return items(sub(choice, "logprobs"), "content")


def _thoughts(said: Json) -> Iterator[Json]:
    thought, blocks = reasoning(said), items(said, "thinking_blocks")
    if thought or blocks:
        yield reasoning_item(thought_id(), thought, sealed(blocks))


def _spoken(choice: Json) -> Iterator[Json]:
    said = sub(choice, "message")
    parts = []
    if spoken := text(said, "content"):
        parts.append(text_part(spoken, logprobs(choice)))
    if refused := text(said, "refusal"):
        parts.append(refusal_part(refused))
    if parts:
        yield message_item(fresh_id("msg"), parts, "completed")


def _call(call: Json) -> Json:
    function = sub(call, "function")
    call_id = text(call, "id") or tool_calls.fresh_id()
    arguments = text(function, "arguments") or "{}"
    return call_item(fresh_id("fc"), call_id, text(function, "name"), arguments, "completed")
