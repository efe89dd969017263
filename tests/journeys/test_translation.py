"""A client of one dialect answered by a provider of another, with the real SDKs."""

from __future__ import annotations

from typing import Any

import anthropic
import ollama
import openai
import pytest

from llmitm.simulator import expected_text
from tests.support.gateway import KEY, Gateway, Starter

APIS = ("openai", "anthropic", "ollama")
MESSAGES: Any = [{"role": "user", "content": "What is a gateway?"}]


@pytest.fixture
def gateway(starter: Starter) -> Gateway:
    _, url = starter.simulator()
    bases = {"openai": f"{url}/v1", "anthropic": url, "ollama": url}
    settings = {
        "providers": {
            api: {"api": api, "base_url": bases[api], "api_key": f"sk-{api}"} for api in APIS
        }
    }
    routes = [
        {"model": f"by-{api}", "targets": [{"provider": api, "model": "sim-large"}]} for api in APIS
    ]
    return starter.gateway(settings, {"routes": {"routes": routes}})


def words() -> str:
    return expected_text(MESSAGES)


@pytest.mark.parametrize("api", APIS)
def test_openai_client(gateway: Gateway, api: str) -> None:
    """OpenAI's SDK gets the same answer whole and streamed, whoever the provider is."""
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0)
    whole = client.chat.completions.create(model=f"by-{api}", messages=MESSAGES)
    assert whole.choices[0].message.content == words()
    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 32
    stream = client.chat.completions.create(
        model=f"by-{api}",
        messages=MESSAGES,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == words()
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 32


@pytest.mark.parametrize("api", APIS)
def test_anthropic_client(gateway: Gateway, api: str) -> None:
    """Anthropic's SDK likewise."""
    client = anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0)
    whole = client.messages.create(model=f"by-{api}", max_tokens=100, messages=MESSAGES)
    assert whole.content[0].text == words()  # type: ignore[union-attr]
    assert whole.stop_reason == "end_turn"
    assert whole.usage.output_tokens == 32
    with client.messages.stream(model=f"by-{api}", max_tokens=100, messages=MESSAGES) as stream:
        assert "".join(stream.text_stream) == words()
        assert stream.get_final_message().usage.output_tokens == 32


@pytest.mark.parametrize("api", APIS)
def test_ollama_client(gateway: Gateway, api: str) -> None:
    """Ollama's SDK likewise, by chat and by generate."""
    client = ollama.Client(gateway.url, headers={"authorization": f"Bearer {KEY}"})
    whole = client.chat(model=f"by-{api}", messages=MESSAGES)
    assert whole.message.content == words()
    assert whole.eval_count == 32
    parts = list(client.chat(model=f"by-{api}", messages=MESSAGES, stream=True))
    assert "".join(p.message.content or "" for p in parts) == words()
    assert parts[-1].done_reason == "stop"
    said = client.generate(model=f"by-{api}", prompt=MESSAGES[0]["content"])
    assert said.response


@pytest.mark.parametrize("api", ["openai", "anthropic"])
def test_tools_across(gateway: Gateway, api: str) -> None:
    """A tool call comes through in the client's own form."""
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0)
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tool: Any = {"type": "function", "function": {"name": "weather", "parameters": schema}}
    answer = client.chat.completions.create(model=f"by-{api}", messages=MESSAGES, tools=[tool])
    call = (answer.choices[0].message.tool_calls or [])[0]
    assert call.type == "function"
    assert call.function.name == "weather"
    assert answer.choices[0].finish_reason == "tool_calls"
