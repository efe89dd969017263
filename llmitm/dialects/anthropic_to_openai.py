"""Anthropic clients on an OpenAI provider: Messages told through Chat Completions."""

from __future__ import annotations

from llmitm.dialects.anthropic_to_openai_answer import message
from llmitm.dialects.anthropic_to_openai_request import chat_request
from llmitm.dialects.anthropic_to_openai_stream import MessageStream
from llmitm.dialects.carry import Json
from llmitm.dialects.relay import relay


class MessagesToChat:
    """POST /v1/messages, answered by POST /v1/chat/completions."""

    path = "/v1/chat/completions"
    media_type = "text/event-stream"

    def request(self, body: Json) -> tuple[str, Json]:
        return self.path, chat_request(body)

    def response(self, body: Json, model: str) -> Json:
        return message(body, model)

    def stream(self, model: str) -> MessageStream:
        return MessageStream(model)

    def error(self, status: int, body: object) -> Json:
        return relay(body, "anthropic", status)
