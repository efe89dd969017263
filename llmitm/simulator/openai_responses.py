"""OpenAI's Responses API: /v1/responses, with the events that its streams have."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from llmitm.call import Usage
from llmitm.simulator.answer import Answer, Ask, Tool, answer, chosen_tool, conversation
from llmitm.simulator.exchange import Exchange
from llmitm.simulator.frames import encode, named
from llmitm.simulator.ids import new_id
from llmitm.simulator.openai_chat import json_schema
from llmitm.simulator.refusals import Refused, invalid
from llmitm.simulator.reply import SSE, Event, Mark, Reply
from llmitm.simulator.text import Turn

type Json = dict[str, Any]

_INCOMPLETE = {"length": "max_output_tokens", "filter": "content_filter"}


def responses(ex: Exchange) -> Reply:
    """Answers with one output item: a message or a function call."""
    ask = _ask(ex)
    said = answer(ex, ask)
    response = _Response(ex, said)
    if ex.body.get("stream"):
        return Reply("responses", steps=response.stream(), content_type=SSE)
    return Reply("responses", encode(response.ended()))


def _ask(ex: Exchange) -> Ask:
    given = ex.body.get("input")
    messages = [{"role": "user", "content": given}] if isinstance(given, str) else given
    if not isinstance(messages, list) or not messages:
        raise Refused(invalid("'input' must be a text or a list of items.", "input"))
    system = ex.body.get("instructions")
    turns, prefill = conversation(ex, messages, system, continues=False)
    wanted = ex.body.get("text")
    return Ask(
        turns,
        prefill,
        limit=ex.limit("max_output_tokens"),
        schema=json_schema(wanted.get("format")) if isinstance(wanted, Mapping) else None,
        tool=_tool(ex, turns),
    )


def _tool(ex: Exchange, turns: Sequence[Turn]) -> Tool | None:
    tools = [tool for tool in ex.objects("tools") if isinstance(tool.get("name"), str)]
    offered = {tool["name"]: tool.get("parameters") for tool in tools}
    match ex.body.get("tool_choice"):
        case "none":
            return None
        case {"name": str(name)}:
            return chosen_tool(turns, offered, name)
    return chosen_tool(turns, offered, None)


def _usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }


class _Response:
    """One response object, as it looks while it grows and when it has ended."""

    def __init__(self, ex: Exchange, said: Answer) -> None:
        self.ex = ex
        self.said = said
        self.id = new_id("resp_")
        self.item_id = new_id("fc_" if said.tool else "msg_")
        self.call_id = new_id("call_")
        self.created = int(time.time())
        self.number = count()

    def ended(self) -> Json:
        reason = _INCOMPLETE.get(self.said.finish)
        status = "incomplete" if reason else "completed"
        return self._object(status) | {
            "incomplete_details": {"reason": reason} if reason else None,
            "output": [self._item(status, self.said.text)],
            "usage": _usage(self.said.usage),
        }

    def stream(self) -> Iterator[Event]:
        running = self._object("in_progress")
        yield Mark.START, self._event("response.created", response=running)
        yield Mark.START, self._event("response.in_progress", response=running)
        opened = self._item("in_progress", None)
        yield Mark.START, self._event("response.output_item.added", output_index=0, item=opened)
        yield from self._call() if self.said.tool else self._message()
        ended = self.ended()
        item = ended["output"][0]
        yield Mark.FINISH, self._event("response.output_item.done", output_index=0, item=item)
        yield Mark.FINISH, self._event(f"response.{ended['status']}", response=ended)

    def _message(self) -> Iterator[Event]:
        at = {"item_id": self.item_id, "output_index": 0, "content_index": 0}
        yield Mark.START, self._event("response.content_part.added", **at, part=_part(""))
        for piece in self.said.pieces:
            delta = {"delta": piece, "logprobs": []}
            yield Mark.TOKEN, self._event("response.output_text.delta", **at, **delta)
        text = self.said.text
        yield Mark.FINISH, self._event("response.output_text.done", **at, text=text, logprobs=[])
        yield Mark.FINISH, self._event("response.content_part.done", **at, part=_part(text))

    def _call(self) -> Iterator[Event]:
        at = {"item_id": self.item_id, "output_index": 0}
        for piece in self.said.pieces:
            yield (
                Mark.TOKEN,
                self._event("response.function_call_arguments.delta", **at, delta=piece),
            )
        tool = self.said.tool
        done = {"arguments": self.said.text, "name": tool.name if tool else ""}
        yield Mark.FINISH, self._event("response.function_call_arguments.done", **at, **done)

    def _event(self, kind: str, **fields: Any) -> bytes:
        return named({"type": kind, "sequence_number": next(self.number), **fields})

    def _object(self, status: str) -> Json:
        body = self.ex.body
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "instructions": body.get("instructions"),
            "max_output_tokens": body.get("max_output_tokens"),
            "metadata": body.get("metadata") or {},
            "model": self.ex.model,
            "output": [],
            "parallel_tool_calls": True,
            "previous_response_id": body.get("previous_response_id"),
            "reasoning": {"effort": None, "summary": None},
            "store": bool(body.get("store", True)),
            "temperature": 1.0,
            "text": body.get("text") or {"format": {"type": "text"}},
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": body.get("tools") or [],
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": None,
        }

    def _item(self, status: str, text: str | None) -> Json:
        """The output item; `text` None is one that has no content yet."""
        head = {"id": self.item_id, "status": status}
        if self.said.tool:
            call = {"name": self.said.tool.name, "arguments": text or "", "call_id": self.call_id}
            return {**head, "type": "function_call", **call}
        content = [] if text is None else [_part(text)]
        return {**head, "type": "message", "role": "assistant", "content": content}


def _part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
