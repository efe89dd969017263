"""OpenAI's legacy completions told through Chat Completions, for providers that only chat."""

from __future__ import annotations

from typing import Any, Final

from llmitm.dialects.carry import Json, items, refuse, sub, text
from llmitm.dialects.chunks import ChunkTranslation
from llmitm.dialects.frames import event
from llmitm.dialects.relay import relay

CARRIED: Final = frozenset(
    [
        "model",
        "max_tokens",
        "temperature",
        "top_p",
        "n",
        "stop",
        "stream",
        "stream_options",
        "seed",
        "user",
        "logit_bias",
        "frequency_penalty",
        "presence_penalty",
    ]
)
"""Parameters that mean the same in both APIs; `prompt` becomes the one user message."""

REFUSED: Final[dict[str, tuple[tuple[Any, ...], str]]] = {
    "suffix": ((None, ""), "a chat model can't fill in the middle of a text"),
    "echo": ((None, False), "a chat model does not repeat its prompt"),
    "best_of": ((None, 1), "a chat model gives one answer to a request"),
    "logprobs": ((None,), "log probabilities in the legacy form can't be had from a chat model"),
}


class CompletionsToChat:
    """POST /v1/completions, answered by POST /v1/chat/completions."""

    path = "/v1/chat/completions"
    media_type = "text/event-stream"

    def request(self, body: Json) -> tuple[str, Json]:
        for param, (neutral, why) in REFUSED.items():
            if param in body and body[param] not in neutral:
                raise refuse(param, why)
        prompt = body.get("prompt")
        if isinstance(prompt, list) and len(prompt) == 1:
            prompt = prompt[0]
        if not isinstance(prompt, str):
            raise refuse("prompt", "a chat model takes one text; no token numbers, no batches")
        chat = {key: value for key, value in body.items() if key in CARRIED}
        return self.path, {**chat, "messages": [{"role": "user", "content": prompt}]}

    def response(self, body: Json, model: str) -> Json:
        return text_completion(body, "message") | {"model": model}

    def stream(self, model: str) -> CompletionStream:
        return CompletionStream()

    def error(self, status: int, body: object) -> Json:
        return relay(body, "openai", status)


class CompletionStream(ChunkTranslation):
    """Chat chunks as text completion chunks; chunks without text fall away."""

    dialect = "openai"

    def _payload(self, payload: Json) -> bytes:
        out = super()._payload(payload)
        is_usage = not items(payload, "choices") and bool(sub(payload, "usage"))
        return out + event(text_completion(payload, "delta")) if is_usage else out

    def _choice(self, payload: Json, choice: Json) -> bytes:
        if not choice.get("finish_reason") and not _said(choice, "delta"):
            return b""
        return event(text_completion(payload, "delta"))

    def _finished(self) -> bytes:
        self.done = True
        return b"data: [DONE]\n\n"

    def _frame_error(self, error: Json) -> bytes:
        return event(error)


def text_completion(chat: Json, key: str) -> Json:
    """A chat completion (`key` message) or a chunk of one (`key` delta) as a text completion."""
    choices = [
        {
            "index": choice.get("index", 0),
            "text": _said(choice, key),
            "logprobs": None,
            "finish_reason": choice.get("finish_reason"),
        }
        for choice in items(chat, "choices")
    ]
    completion_id = text(chat, "id").replace("chatcmpl-", "cmpl-")
    return {**chat, "id": completion_id, "object": "text_completion", "choices": choices}


def _said(choice: Json, key: str) -> str:
    return text(sub(choice, key), "content")
