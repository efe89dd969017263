"""The official SDKs, wired to a translation and a provider that gives one prepared answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx
import httpx2
import ollama
import openai

from llmitm.dialects.translation import Translation
from llmitm.errors import GatewayError, render
from tests.dialects.streams import Json, anthropic_events, openai_chunks, sse


@dataclass
class Provider:
    """Answers every request with `answer`: an object, or with a `status` an error."""

    dialect: str
    answer: Any
    status: int = 200
    asked: list[tuple[str, Json]] = field(default_factory=list)

    def stream(self) -> bytes:
        """`answer` as a stream of the provider's dialect."""
        if self.dialect == "anthropic":
            return sse(anthropic_events(self.answer, 4), named=True)
        return sse(openai_chunks(self.answer, 4))


@dataclass
class Gateway:
    """What stands between an SDK and a provider: a translation for each call."""

    client: str
    make: Callable[[], Translation]
    provider: Provider

    def reply(self, content: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a client's request."""
        pair = self.make()
        try:
            path, request = pair.request(json.loads(content))
        except GatewayError as refusal:
            return render(refusal, self.client)
        self.provider.asked.append((path, request))
        answer, status = self.provider.answer, self.provider.status
        if status != 200:
            error = pair.error(status, json.dumps(answer).encode())
            return status, {"content-type": "application/json"}, json.dumps(error).encode()
        if not request.get("stream"):
            whole = pair.response(answer, "asked-model")
            return 200, {"content-type": "application/json"}, json.dumps(whole).encode()
        stream = pair.stream("asked-model")
        body = stream.feed(self.provider.stream()) + stream.end()
        return 200, {"content-type": pair.media_type}, body


def openai_client(gateway: Gateway) -> openai.OpenAI:
    """The OpenAI SDK on this gateway, without retries."""

    def handle(request: httpx2.Request) -> httpx2.Response:
        status, headers, body = gateway.reply(request.content)
        return httpx2.Response(status, headers=headers, content=body)

    http_client = httpx2.Client(transport=httpx2.MockTransport(handle))
    return openai.OpenAI(
        api_key="x", base_url="http://gateway/v1", http_client=http_client, max_retries=0
    )


def anthropic_client(gateway: Gateway) -> anthropic.Anthropic:
    """The Anthropic SDK on this gateway, without retries."""

    def handle(request: httpx2.Request) -> httpx2.Response:
        status, headers, body = gateway.reply(request.content)
        return httpx2.Response(status, headers=headers, content=body)

    http_client = httpx2.Client(transport=httpx2.MockTransport(handle))
    return anthropic.Anthropic(
        api_key="x", base_url="http://gateway", http_client=http_client, max_retries=0
    )


def ollama_client(gateway: Gateway) -> ollama.Client:
    """The Ollama SDK on this gateway."""

    def handle(request: httpx.Request) -> httpx.Response:
        status, headers, body = gateway.reply(request.content)
        return httpx.Response(status, headers=headers, content=body)

    return ollama.Client(host="http://gateway", transport=httpx.MockTransport(handle))
