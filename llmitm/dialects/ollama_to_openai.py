"""Ollama clients on an OpenAI provider."""

from __future__ import annotations

from llmitm.dialects.carry import Json
from llmitm.dialects.ollama_to_openai_answer import (
    Shape,
    answer,
    as_chat,
    as_generate,
    embeddings,
)
from llmitm.dialects.ollama_to_openai_request import (
    chat_request,
    embeddings_request,
    generate_request,
)
from llmitm.dialects.ollama_to_openai_stream import LineStream
from llmitm.dialects.relay import relay
from llmitm.dialects.stopwatch import Stopwatch
from llmitm.dialects.translation import StreamTranslation


class OllamaChat:
    """POST /api/chat, answered by POST /v1/chat/completions."""

    path = "/v1/chat/completions"
    media_type = "application/x-ndjson"

    def __init__(self, shape: Shape = as_chat) -> None:
        self._shape = shape
        self._watch = Stopwatch()

    def request(self, body: Json) -> tuple[str, Json]:
        return self.path, chat_request(body)

    def response(self, body: Json, model: str) -> Json:
        return answer(body, model, self._shape, self._watch.nanoseconds())

    def stream(self, model: str) -> StreamTranslation:
        return LineStream(model, self._shape, self._watch)

    def error(self, status: int, body: object) -> Json:
        return relay(body, "ollama", status)


class OllamaGenerate(OllamaChat):
    """POST /api/generate, answered by POST /v1/chat/completions."""

    def __init__(self) -> None:
        super().__init__(as_generate)

    def request(self, body: Json) -> tuple[str, Json]:
        return self.path, generate_request(body)


class OllamaEmbed(OllamaChat):
    """POST /api/embed, and the older /api/embeddings, answered by POST /v1/embeddings."""

    path = "/v1/embeddings"
    media_type = "application/json"

    def __init__(self) -> None:
        super().__init__()
        self._single = False

    def request(self, body: Json) -> tuple[str, Json]:
        self._single = "input" not in body and "prompt" in body
        return self.path, embeddings_request(body)

    def response(self, body: Json, model: str) -> Json:
        return embeddings(body, model, self._watch.total(), single=self._single)
