"""The Ollama SDK on an OpenAI provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ollama
import pytest

from llmitm.dialects.ollama_to_openai import OllamaChat, OllamaEmbed, OllamaGenerate
from llmitm.dialects.translation import Translation
from tests.dialects.answers import COMPLETION, plain
from tests.dialects.sdk import Gateway, Provider, ollama_client
from tests.dialects.streams import Json

MODEL = "llama3.2"
HI: Any = [{"role": "user", "content": "hi"}]


def connect(
    make: Callable[[], Translation], answer: Json, status: int = 200
) -> tuple[ollama.Client, Provider]:
    provider = Provider("openai", answer, status)
    return ollama_client(Gateway("ollama", make, provider)), provider


def check(message: ollama.Message) -> None:
    assert message.content == "Let me look: ☔️"
    assert message.thinking == "Two tools."
    assert message.tool_calls is not None
    assert [(c.function.name, c.function.arguments) for c in message.tool_calls] == [
        ("weather", {"city": "Köln"}),
        ("now", {}),
    ]


def test_chat() -> None:
    """`chat` gives text, thinking, tool calls with arguments as a mapping, and counts."""
    client, provider = connect(OllamaChat, COMPLETION)
    answer = client.chat(MODEL, HI, options={"num_predict": 50}, keep_alive="5m")
    check(answer.message)
    assert (answer.done, answer.done_reason) == (True, "stop")
    assert (answer.prompt_eval_count, answer.eval_count) == (17, 25)
    assert answer.total_duration is not None
    assert answer.total_duration > 0
    path, request = provider.asked[0]
    assert path == "/v1/chat/completions"
    assert request["max_completion_tokens"] == 50


def test_chat_stream() -> None:
    """`chat(stream=True)` says the same in pieces; the last line has the counts."""
    client, _ = connect(OllamaChat, COMPLETION)
    parts = list(client.chat(MODEL, HI, stream=True))
    calls = [call for part in parts for call in part.message.tool_calls or []]
    whole = ollama.Message(
        role="assistant",
        content="".join(part.message.content or "" for part in parts),
        thinking="".join(part.message.thinking or "" for part in parts),
        tool_calls=calls,
    )
    check(whole)
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert (parts[-1].prompt_eval_count, parts[-1].eval_count) == (17, 25)


def test_generate() -> None:
    """`generate` gives its `response`, whole and in pieces."""
    client, _ = connect(OllamaGenerate, plain(COMPLETION, "Once upon a time", "length"))
    answer = client.generate(MODEL, "Tell me", system="Be brief.")
    assert (answer.response, answer.done_reason) == ("Once upon a time", "length")
    parts = list(client.generate(MODEL, "Tell me", stream=True))
    assert "".join(part.response or "" for part in parts) == "Once upon a time"
    assert parts[-1].done_reason == "length"


def test_tool_loop() -> None:
    """Results that name only their tool reach OpenAI under the ids of their calls."""
    client, provider = connect(OllamaChat, COMPLETION)
    said = client.chat(MODEL, HI).message
    results: list[Any] = [
        {"role": "tool", "tool_name": name, "content": name} for name in ("now", "weather")
    ]
    client.chat(MODEL, [*HI, said, *results])
    _, assistant, now, weather = provider.asked[1][1]["messages"]
    ids = {call["function"]["name"]: call["id"] for call in assistant["tool_calls"]}
    assert (now["tool_call_id"], weather["tool_call_id"]) == (ids["now"], ids["weather"])


def test_embed() -> None:
    """`embed` and the older `embeddings` give their vectors."""
    data = [{"object": "embedding", "index": 0, "embedding": [0.5, -1]}]
    answer = {"object": "list", "data": data, "usage": {"prompt_tokens": 2, "total_tokens": 2}}
    client, provider = connect(OllamaEmbed, answer)
    found = client.embed(MODEL, "hi")
    assert (found.embeddings, found.prompt_eval_count) == ([[0.5, -1]], 2)
    assert client.embeddings(MODEL, "hi").embedding == [0.5, -1]
    assert [path for path, _ in provider.asked] == ["/v1/embeddings"] * 2


def test_errors() -> None:
    """A provider's error keeps its message, as Ollama says it."""
    error = {"error": {"message": "what it was", "type": "invalid_request_error"}}
    client, _ = connect(OllamaChat, error, 400)
    with pytest.raises(ollama.ResponseError, match="what it was"):
        client.chat(MODEL, HI)


def test_refusal_of_a_parameter() -> None:
    """What can't be carried is an error that names it."""
    client, provider = connect(OllamaGenerate, COMPLETION)
    with pytest.raises(ollama.ResponseError, match="suffix"):
        client.generate(MODEL, "a", suffix="b")
    assert not provider.asked
