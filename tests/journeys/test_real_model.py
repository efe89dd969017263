"""The official SDKs against a real model (SmolLM2-135M), through the gateway."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import ollama
import openai
import pytest

from tests.support.calls import Watcher, one_call, watch
from tests.support.gateway import KEY, Starter

SERVER = Path(__file__).parent.parent / "support" / "real_model.py"
MESSAGES: Any = [{"role": "user", "content": "Say hi."}]
LONG: Any = [{"role": "user", "content": "Tell me a long story about a fox."}]
TOKENS = 4
# What the model says is the same each time, and goes on for longer than TOKENS.
SURE: Any = {"temperature": 0}


@pytest.fixture(scope="session")
def model_url() -> Iterator[str]:
    command = [sys.executable, str(SERVER)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        assert url.startswith("http"), "the model did not start"
        yield url
        process.kill()


@dataclass
class Smol:
    url: str
    watcher: Watcher


@pytest.fixture(scope="module")
def smol(model_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Smol]:
    """A gateway whose model `smol` speaks OpenAI's API, and `claude-smol` Anthropic's."""
    starter = Starter(tmp_path_factory.mktemp("gateway"))
    providers = {
        "llama": {"api": "openai", "base_url": f"{model_url}/v1"},
        "claude": {"api": "anthropic", "base_url": model_url},
        "plain": {"api": "openai", "base_url": f"{model_url}/v1", "responses": False},
    }
    routes = [
        {"model": "smol", "targets": [{"provider": "llama", "model": "smollm2"}]},
        {"model": "claude-smol", "targets": [{"provider": "claude", "model": "smollm2"}]},
        {"model": "plain-smol", "targets": [{"provider": "plain", "model": "smollm2"}]},
    ]
    try:
        gateway = starter.gateway({"providers": providers}, {"routes": {"routes": routes}})
        yield Smol(gateway.url, watch(gateway))
    finally:
        starter.close()


@pytest.mark.parametrize("model", ["smol", "claude-smol"])
def test_openai(smol: Smol, model: str) -> None:
    """OpenAI's SDK gets a whole answer and a stream from either API, with the model's usage."""
    with openai.OpenAI(base_url=f"{smol.url}/v1", api_key=KEY, max_retries=0) as client:
        asked: Any = {"model": model, "messages": MESSAGES, "max_tokens": TOKENS, **SURE}
        with one_call(smol.watcher) as calls:
            whole = client.chat.completions.create(**asked)
        assert whole.usage is not None
        assert whole.choices[0].message.content
        assert whole.usage.completion_tokens == TOKENS == calls[0].completion_tokens
        assert whole.usage.prompt_tokens == calls[0].prompt_tokens
        with one_call(smol.watcher) as calls:
            chunks = list(client.chat.completions.create(**asked, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks)
    assert chunks[-1].choices[0].finish_reason == "length"
    assert (calls[0].completion_tokens, calls[0].estimated) == (TOKENS, False)


@pytest.mark.parametrize("model", ["plain-smol", "claude-smol"])
def test_responses(smol: Smol, model: str) -> None:
    """OpenAI's SDK gets a response from APIs that have none, whole and streamed."""
    with openai.OpenAI(base_url=f"{smol.url}/v1", api_key=KEY, max_retries=0) as client:
        asked: Any = {"model": model, "input": MESSAGES, "max_output_tokens": TOKENS}
        asked["extra_body"] = SURE
        with one_call(smol.watcher) as calls:
            whole = client.responses.create(**asked)
        assert whole.usage is not None
        assert whole.output_text
        assert whole.usage.output_tokens == TOKENS == calls[0].completion_tokens
        assert whole.usage.input_tokens == calls[0].prompt_tokens
        with one_call(smol.watcher) as calls:
            *events, last = client.responses.create(**asked, stream=True)
    assert last.type == "response.incomplete"
    assert last.response.output_text
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert (calls[0].completion_tokens, calls[0].estimated) == (TOKENS, False)


@pytest.mark.parametrize("model", ["smol", "claude-smol"])
def test_anthropic(smol: Smol, model: str) -> None:
    """Anthropic's SDK gets a whole message and a stream from either API."""
    with anthropic.Anthropic(base_url=smol.url, api_key=KEY, max_retries=0) as client:
        asked: Any = {"model": model, "messages": MESSAGES, "max_tokens": TOKENS}
        asked["extra_body"] = SURE
        with one_call(smol.watcher) as calls:
            whole = client.messages.create(**asked)
        assert whole.usage.output_tokens == TOKENS == calls[0].completion_tokens
        with one_call(smol.watcher) as calls, client.messages.stream(**asked) as stream:
            final = stream.get_final_message()
    assert final.stop_reason == "max_tokens"
    assert final.usage.output_tokens == TOKENS == calls[0].completion_tokens


@pytest.mark.parametrize("model", ["smol", "claude-smol"])
def test_ollama(smol: Smol, model: str) -> None:
    """Ollama's client gets a whole answer and a stream from either API."""
    client = ollama.Client(host=smol.url, headers={"Authorization": f"Bearer {KEY}"})
    options = {"num_predict": TOKENS, **SURE}
    whole = client.chat(model=model, messages=MESSAGES, options=options)
    assert whole.message.content
    assert whole.eval_count == TOKENS
    *parts, last = client.generate(model=model, prompt="Say hi.", options=options, stream=True)
    assert "".join(part.response or "" for part in parts)
    assert last.done
    client._client.close()


def test_client_that_leaves(smol: Smol) -> None:
    """A client that leaves a real stream is billed for what it got."""
    with openai.OpenAI(base_url=f"{smol.url}/v1", api_key=KEY, max_retries=0) as client:
        asked: Any = {"model": "smol", "messages": LONG, "max_tokens": 200, **SURE}
        with one_call(smol.watcher) as calls:
            stream = client.chat.completions.create(**asked, stream=True)
            next(iter(stream))
            next(iter(stream))
            stream.close()
    assert calls[0].error == "client_closed"
    assert 0 < calls[0].completion_tokens < 200
    assert calls[0].estimated
