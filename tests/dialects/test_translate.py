"""Every pair of dialects has a translation, a passthrough or a clear refusal."""

from __future__ import annotations

import ollama
import pytest

from llmitm.dialects.translate import PAIRS, translation, upstream_path
from llmitm.errors import Cause, GatewayError
from tests.dialects.answers import MESSAGE
from tests.dialects.sdk import Gateway, Provider, ollama_client
from tests.dialects.streams import Json, anthropic_events, lines, payloads, run, sse

OPERATIONS = [
    ("openai", "chat", "/v1/chat/completions"),
    ("openai", "completions", "/v1/completions"),
    ("openai", "embeddings", "/v1/embeddings"),
    ("openai", "responses", "/v1/responses"),
    ("openai", "compact", "/v1/responses/compact"),
    ("openai", "files", "/v1/files"),
    ("anthropic", "messages", "/v1/messages?beta=true"),
    ("anthropic", "count_tokens", "/v1/messages/count_tokens"),
    ("ollama", "chat", "/api/chat"),
    ("ollama", "generate", "/api/generate"),
    ("ollama", "embed", "/api/embed"),
    ("ollama", "show", "/api/show"),
]
TRANSLATED = {
    ("openai", "chat", "anthropic"): "/v1/messages",
    ("openai", "completions", "anthropic"): "/v1/messages",
    ("openai", "responses", "anthropic"): "/v1/messages",
    ("anthropic", "messages", "openai"): "/v1/chat/completions",
    ("ollama", "chat", "openai"): "/v1/chat/completions",
    ("ollama", "generate", "openai"): "/v1/chat/completions",
    ("ollama", "embed", "openai"): "/v1/embeddings",
    ("ollama", "chat", "anthropic"): "/v1/messages",
    ("ollama", "generate", "anthropic"): "/v1/messages",
}


@pytest.mark.parametrize(("dialect", "operation", "path"), OPERATIONS)
@pytest.mark.parametrize("provider", ["openai", "anthropic", "ollama", "simulator"])
def test_every_call_has_a_way(dialect: str, operation: str, path: str, provider: str) -> None:
    """Passthrough keeps its path, a translation has its own, and all else is refused by name."""
    native = provider == dialect or provider in ("ollama", "simulator")
    pair = translation(dialect, operation, provider)
    if native:
        assert pair is None
        assert upstream_path(dialect, operation, path, provider) == path
    elif (dialect, operation, provider) in TRANSLATED:
        expected = TRANSLATED[dialect, operation, provider]
        assert upstream_path(dialect, operation, path, provider) == expected
    else:
        assert pair is not None
        with pytest.raises(GatewayError, match=operation) as refusal:
            pair.request({"model": "m"})
        assert refusal.value.cause is Cause.INVALID_REQUEST
        assert provider in refusal.value.message
        assert upstream_path(dialect, operation, path, provider) == path


@pytest.mark.parametrize("provider", ["openai", "ollama", "simulator"])
def test_a_provider_without_the_responses_api(provider: str) -> None:
    """It is asked by Chat Completions; all else of OpenAI's dialect it gets as it is."""
    pair = translation("openai", "responses", provider, responses=False)
    assert pair is not None
    assert pair.path == "/v1/chat/completions"
    assert translation("openai", "chat", provider, responses=False) is None
    compact = translation("openai", "compact", provider, responses=False)
    assert compact is not None
    with pytest.raises(GatewayError, match="only OpenAI compacts"):
        compact.request({"model": "m"})


def test_each_attempt_gets_its_own_translation() -> None:
    """A translation remembers its request, so no two attempts share one."""
    for dialect, operation, provider in PAIRS:
        first = translation(dialect, operation, provider, responses=False)
        assert first is not None
        assert first is not translation(dialect, operation, provider, responses=False)


def test_media_types() -> None:
    """Ollama's clients get lines, all others events."""
    for dialect, operation, provider in PAIRS:
        pair = translation(dialect, operation, provider, responses=False)
        assert pair is not None
        if operation in ("chat", "generate", "messages", "completions", "responses"):
            expected = "application/x-ndjson" if dialect == "ollama" else "text/event-stream"
            assert pair.media_type == expected


def ollama_on_anthropic() -> Provider:
    return Provider("anthropic", MESSAGE)


def test_ollama_sdk_on_an_anthropic_provider() -> None:
    """Two translations in a row: the Ollama SDK talks to Anthropic, whole and in a stream."""
    provider = ollama_on_anthropic()
    pairs = Gateway("ollama", PAIRS["ollama", "chat", "anthropic"], provider)
    client = ollama_client(pairs)
    said: list[Json] = [{"role": "system", "content": "A"}, {"role": "user", "content": "hi"}]
    whole = client.chat("claude-sonnet-4-6", said, options={"num_predict": 9, "stop": ["x"]})
    parts = list(client.chat("claude-sonnet-4-6", said, stream=True, think="high"))
    for message in (whole.message, *(p.message for p in parts if p.message.tool_calls)):
        assert [(c.function.name, c.function.arguments) for c in message.tool_calls or []] == [
            ("weather", {"city": "Köln"}),
            ("now", {}),
        ]
    assert "".join(p.message.content or "" for p in parts) == whole.message.content
    assert "".join(p.message.thinking or "" for p in parts) == whole.message.thinking
    assert (parts[-1].prompt_eval_count, parts[-1].eval_count) == (17, 25)
    assert (whole.prompt_eval_count, whole.eval_count) == (17, 25)
    (path, request), (_, streamed) = provider.asked
    assert path == "/v1/messages"
    assert request == {
        "model": "claude-sonnet-4-6",
        "max_tokens": 9,
        "system": "A",
        "messages": [{"role": "user", "content": "hi"}],
        "stop_sequences": ["x"],
        "stream": False,
    }
    assert streamed["stream"] is True
    assert streamed["output_config"] == {"effort": "high"}


def test_ollama_generate_on_an_anthropic_provider() -> None:
    """/api/generate reaches Anthropic too, and refuses what Anthropic can't do."""
    client = ollama_client(
        Gateway("ollama", PAIRS["ollama", "generate", "anthropic"], ollama_on_anthropic())
    )
    assert client.generate("m", "hi").response == "Let me look: ☔️"
    with pytest.raises(ollama.ResponseError, match="log probabilities"):
        client.generate("m", "hi", logprobs=True)


def test_error_through_two_translations() -> None:
    """An in-band error of Anthropic reaches an Ollama client as its last line."""
    pair = PAIRS["ollama", "chat", "anthropic"]()
    pair.request({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    stream = pair.stream("m")
    out = lines(run(stream, [sse([*anthropic_events(MESSAGE)[:9], error], named=True)]))
    assert out[-1] == {"error": "Overloaded"}
    assert not stream.done
    assert pair.error(529, error) == {"error": "Overloaded"}


def test_cut_through_two_translations() -> None:
    """A stream cut at Anthropic has no end for an Ollama client, nor for one of completions."""
    data = sse(anthropic_events(MESSAGE)[:-2], named=True)
    chat = PAIRS["ollama", "chat", "anthropic"]().stream("m")
    assert not any(line["done"] for line in lines(run(chat, [data])))
    text = PAIRS["openai", "completions", "anthropic"]().stream("m")
    out = list(payloads(run(text, [data])))
    assert "[DONE]" not in out
    assert not (chat.done or text.done)
