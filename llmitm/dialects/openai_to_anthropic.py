"""OpenAI clients on an Anthropic provider: Chat Completions told through the Messages API."""

from __future__ import annotations

from llmitm.dialects.carry import Json, sub
from llmitm.dialects.openai_to_anthropic_answer import chat_completion
from llmitm.dialects.openai_to_anthropic_request import messages_request
from llmitm.dialects.openai_to_anthropic_stream import ChatStream
from llmitm.dialects.relay import relay


class ChatToMessages:
    """POST /v1/chat/completions, answered by POST /v1/messages."""

    path = "/v1/messages"
    media_type = "text/event-stream"

    def __init__(self) -> None:
        self._include_usage = False

    def request(self, body: Json) -> tuple[str, Json]:
        self._include_usage = sub(body, "stream_options").get("include_usage") is True
        return self.path, messages_request(body)

    def response(self, body: Json, model: str) -> Json:
        return chat_completion(body, model)

    def stream(self, model: str) -> ChatStream:
        return ChatStream(model, include_usage=self._include_usage)

    def error(self, status: int, body: object) -> Json:
        return relay(body, "openai", status)
