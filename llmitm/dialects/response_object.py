"""The response object of the Responses API and its output items, as the gateway writes them."""

from __future__ import annotations

import time
import uuid
from typing import Final

from llmitm.dialects import usage as counts
from llmitm.dialects.carry import Json

_INCOMPLETE: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""OpenAI's finish_reason in the words of `incomplete_details`; with any other it is complete."""

_DEFAULTS: Final[Json] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "user": None,
}
"""What of a request its response repeats, and what is said where the request says nothing."""


def fresh_id(prefix: str) -> str:
    """An id for a response (`resp`) or one of its items."""
    return f"{prefix}_{uuid.uuid4().hex}"


class ResponseObject:
    """The response to one request, as it is while it grows and once it has ended."""

    def __init__(self, request: Json, model: str) -> None:
        asked = {key: request[key] for key in _DEFAULTS if request.get(key) is not None}
        self._head: Json = {
            **_DEFAULTS,
            **asked,
            "id": fresh_id("resp"),
            "object": "response",
            "created_at": int(time.time()),
            "model": model,
            "background": False,
            "previous_response_id": None,
            "service_tier": "default",
            "store": False,
            "truncation": "disabled",
            "error": None,
        }

    def running(self) -> Json:
        """The object before there is any output."""
        nothing: Json = {"incomplete_details": None, "output": [], "usage": None}
        return {**self._head, "status": "in_progress", **nothing}

    def ended(self, output: list[Json], finish: str, usage: Json) -> Json:
        """The object with all its output; `finish` and `usage` are those of a chat completion."""
        counted = counts.from_openai(usage)
        told = counts.to_responses(counted) if counted else None
        return ended(self._head, output, _INCOMPLETE.get(finish), told)


def ended(head: Json, output: list[Json], reason: str | None, usage: Json | None) -> Json:
    """The response that began as `head`; incomplete where there is a `reason`, if only that."""
    return {
        **head,
        "status": "incomplete" if reason else "completed",
        "completed_at": None if reason else int(time.time()),
        "incomplete_details": {"reason": reason} if reason not in (None, "incomplete") else None,
        "output": output,
        "usage": usage,
    }


def status(finish: str) -> str:
    """What a chat completion's finish_reason makes of a response, and of its last item."""
    return "incomplete" if finish in _INCOMPLETE else "completed"


def message_item(item_id: str, content: list[Json], status: str) -> Json:
    """What the model says: parts made by `text_part` and `refusal_part`."""
    head = {"id": item_id, "type": "message", "status": status}
    return {**head, "role": "assistant", "content": content}


def text_part(text: str, logprobs: list[Json]) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}


def refusal_part(text: str) -> Json:
    return {"type": "refusal", "refusal": text}


def call_item(item_id: str, call_id: str, name: str, arguments: str, status: str) -> Json:
    """A call of a function; `call_id` is what its result has to name."""
    head = {"id": item_id, "type": "function_call", "status": status}
    return {**head, "call_id": call_id, "name": name, "arguments": arguments}


def reasoning_item(item_id: str, summary: str, encrypted: str | None) -> Json:
    """What the model thought, as OpenAI shows it: a summary, and what only the model can read."""
    parts = [summary_part(summary)] if summary else []
    return {"id": item_id, "type": "reasoning", "summary": parts, "encrypted_content": encrypted}


def summary_part(text: str) -> Json:
    return {"type": "summary_text", "text": text}
