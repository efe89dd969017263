"""Anthropic's message events as Chat Completions chunks."""

from __future__ import annotations

import time
from collections.abc import Callable

from llmitm.dialects.carry import Json, encode, index, sub, text
from llmitm.dialects.frames import event
from llmitm.dialects.openai_to_anthropic_answer import FINISH, chat_usage, completion_id
from llmitm.dialects.translation import SseTranslation


class ChatStream(SseTranslation):
    """One chat completion, chunk by chunk: an id and a role first, a finish reason last.

    The finish reason waits for the end, so that a cut stream never looks finished.
    """

    dialect = "openai"

    def __init__(self, model: str, *, include_usage: bool = False) -> None:
        super().__init__()
        self._model = model
        self._include_usage = include_usage
        self._id = completion_id("")
        self._created = int(time.time())
        self._usage: Json = {}
        self._stop_reason = ""
        self._tools: dict[int, int] = {}
        self._block: Json = {}
        self._fragments: list[str] = []
        self._thoughts = 0
        self._handlers: dict[str, Callable[[Json], bytes]] = {
            "message_start": self._start,
            "content_block_start": self._block_start,
            "content_block_delta": self._delta,
            "content_block_stop": self._block_stop,
            "message_delta": self._message_delta,
            "message_stop": self._stop,
        }

    def _payload(self, payload: Json) -> bytes:
        handler = self._handlers.get(text(payload, "type"))
        return handler(payload) if handler else b""

    def _close(self) -> bytes:
        return self._stop({}) if self._stop_reason else b""

    def _frame_error(self, error: Json) -> bytes:
        return event(error)

    def _start(self, payload: Json) -> bytes:
        message = sub(payload, "message")
        self._id = completion_id(text(message, "id"))
        self._count(sub(message, "usage"))
        return self._chunk({"role": "assistant", "content": ""})

    def _block_start(self, payload: Json) -> bytes:
        self._block = block = dict(sub(payload, "content_block"))
        self._fragments = []
        match block.get("type"):
            case "tool_use":
                self._tools[index(payload)] = position = len(self._tools)
                function = {"name": text(block, "name"), "arguments": ""}
                call = {"index": position, "id": text(block, "id"), "type": "function"}
                return self._chunk({"tool_calls": [{**call, "function": function}]})
            case "text" if text(block, "text"):
                return self._chunk({"content": block["text"]})
        return b""

    def _delta(self, payload: Json) -> bytes:
        match sub(payload, "delta"):
            case {"type": "text_delta", "text": str(said)} if said:
                return self._chunk({"content": said})
            case {"type": "thinking_delta", "thinking": str(thought)} if thought:
                self._fragments.append(thought)
                return self._chunk({"reasoning_content": thought})
            case {"type": "signature_delta", "signature": str(signature)}:
                self._block["signature"] = signature
            case {"type": "input_json_delta", "partial_json": str(part)} if part:
                self._fragments.append(part)
                return self._arguments(payload, part)
        return b""

    def _block_stop(self, payload: Json) -> bytes:
        block, self._block = self._block, {}
        match block.get("type"):
            case "tool_use" if not self._fragments:
                return self._arguments(payload, encode(sub(block, "input")).decode())
            case "thinking":
                block["thinking"] = text(block, "thinking") + "".join(self._fragments)
                return self._thinking_block(block)
            case "redacted_thinking":
                return self._thinking_block(block)
        return b""

    def _arguments(self, payload: Json, part: str) -> bytes:
        position = self._tools.get(index(payload))
        if position is None:  # a tool that runs at the provider
            return b""
        return self._chunk({"tool_calls": [{"index": position, "function": {"arguments": part}}]})

    def _thinking_block(self, block: Json) -> bytes:
        position, self._thoughts = self._thoughts, self._thoughts + 1
        return self._chunk({"thinking_blocks": [{"index": position, **block}]})

    def _message_delta(self, payload: Json) -> bytes:
        self._count(sub(payload, "usage"))
        delta = sub(payload, "delta")
        self._stop_reason = text(delta, "stop_reason") or self._stop_reason
        refusal = text(sub(delta, "stop_details"), "explanation")
        return self._chunk({"refusal": refusal}) if refusal else b""

    def _count(self, usage: Json) -> None:
        """Counts are cumulative; some providers repeat one as zero or null at the end."""
        for name, value in usage.items():
            before = self._usage.get(name)
            if isinstance(value, int) and isinstance(before, int):
                self._usage[name] = max(value, before)
            elif value is not None:
                self._usage[name] = value

    def _stop(self, _payload: Json) -> bytes:
        self.done = True
        out = self._chunk({}, FINISH.get(self._stop_reason, "stop"))
        if self._include_usage:
            out += event({**self._head(), "choices": [], "usage": chat_usage(self._usage)})
        return out + b"data: [DONE]\n\n"

    def _chunk(self, delta: Json, finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        chunk = {**self._head(), "choices": [choice]}
        return event({**chunk, "usage": None} if self._include_usage else chunk)

    def _head(self) -> Json:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
        }
