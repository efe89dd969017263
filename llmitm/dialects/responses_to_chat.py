"""OpenAI's Responses API on a provider that has Chat Completions only, and through it on others."""

from __future__ import annotations

from llmitm.dialects.carry import Json
from llmitm.dialects.relay import relay
from llmitm.dialects.response_object import ResponseObject
from llmitm.dialects.responses_to_chat_answer import response
from llmitm.dialects.responses_to_chat_request import chat_request
from llmitm.dialects.responses_to_chat_stream import ResponseStream


class ResponsesToChat:
    """POST /v1/responses, answered by POST /v1/chat/completions.

    `thinking`: whether what answers is an Anthropic model, which takes its thoughts back.
    """

    path = "/v1/chat/completions"
    media_type = "text/event-stream"

    def __init__(self, *, thinking: bool = False) -> None:
        self._thinking = thinking
        self._asked: Json = {}

    def request(self, body: Json) -> tuple[str, Json]:
        self._asked = body
        return self.path, chat_request(body, thinking=self._thinking)

    def response(self, body: Json, model: str) -> Json:
        return response(body, ResponseObject(self._asked, model))

    def stream(self, model: str) -> ResponseStream:
        return ResponseStream(ResponseObject(self._asked, model))

    def error(self, status: int, body: object) -> Json:
        return relay(body, "openai", status)
