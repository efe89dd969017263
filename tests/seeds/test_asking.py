from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from llmitm.call import Principal
from llmitm.config.schema import Provider
from llmitm.errors import Cause, GatewayError
from llmitm.keyring import Keyring
from llmitm.runtime import Runtime
from llmitm.seeds import agent, alerts, neurogate, nexus
from llmitm.seeds.asking import ask, fit_for, text_of, unfit
from llmitm.stores.identities import UserRow, open_identities
from tests.seeds.flows import flow_of
from tests.seeds.live import live, loaded

HI = {"role": "user", "content": "hi"}


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Runtime]:
    """A gateway with two providers, and one registered user."""
    found = loaded(OLLAMA_URL="http://ollama:1", OPENAI_API_KEY="k")
    identities = open_identities(f"sqlite:///{tmp_path}/ledger.db")
    await identities.create_user(UserRow("user-1", "Ava", None, 0.0))
    yield live(found, keyring=Keyring(identities, policies=lambda: found.policies))
    await identities.close()


async def test_a_prompt_becomes_a_chat(running: Runtime) -> None:
    """The request that the rest of the gateway sees is OpenAI's, with a model."""
    flow, call = flow_of("/llm/generate", {"prompt": "hi"}, accept="text/event-stream")
    await ask(running, flow, call, agent.GENERATE)
    assert (call.dialect, call.operation, call.provider) == ("openai", "chat", None)
    assert flow.request.path == "/v1/chat/completions"
    assert call.body(flow) == {"messages": [HI], "model": "llama3"}
    assert flow.request.headers["content-type"] == "application/json"
    assert "accept" not in flow.request.headers


async def test_the_clients_model(running: Runtime) -> None:
    """A model that the client names is asked for."""
    flow, call = flow_of("/prompt", {"query": "hi", "model": "mistral"})
    await ask(running, flow, call, neurogate.PROMPT)
    body = call.body(flow)
    assert body is not None
    assert body["model"] == "mistral"


async def test_a_users_call(running: Runtime) -> None:
    """The call is the registered user's, and goes to the provider that the user names."""
    body = {"user_id": "user-1", "prompt": "hi", "provider": "openai"}
    flow, call = flow_of("/api/generate", body)
    call.principal = Principal("app", team="shop")
    await ask(running, flow, call, nexus.GENERATE)
    assert call.principal == Principal("app", user="user-1", team="shop")
    assert call.provider == "openai"
    assert call.body(flow) == {"messages": [HI], "model": "gpt-3.5-turbo"}


@pytest.mark.parametrize(
    ("who", "user", "code"),
    [
        (None, "user-2", "unknown_user"),
        (Principal("k", user="user-2"), "user-1", "user_not_allowed"),
    ],
)
async def test_refused_users(running: Runtime, who: Principal | None, user: str, code: str) -> None:
    """Strangers are refused, and so are keys of other users."""
    flow, call = flow_of("/api/generate", {"user_id": user, "prompt": "hi"})
    call.principal = who
    with pytest.raises(GatewayError) as caught:
        await ask(running, flow, call, nexus.GENERATE)
    assert caught.value.code == code


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"prompt=hi"])
async def test_no_json_object(running: Runtime, body: bytes) -> None:
    """Anything but a JSON object is refused."""
    flow, call = flow_of("/llm/generate", body)
    with pytest.raises(GatewayError) as caught:
        await ask(running, flow, call, agent.GENERATE)
    assert caught.value.cause is Cause.INVALID_REQUEST


def completion(text: str | None) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}


@pytest.mark.parametrize("answer", [None, [], "hi", {}, {"choices": []}, {"error": "x"}])
def test_answers_without_a_choice(answer: Any) -> None:
    """What is no chat completion won't do for any endpoint."""
    assert unfit(agent.GENERATE, answer) == "the answer has no choices"


def test_answers() -> None:
    """Any text will do, unless the endpoint looks at it."""
    assert text_of(completion("hi")) == "hi"
    assert unfit(agent.GENERATE, completion("hi")) is None
    assert unfit(agent.GENERATE, completion(None)) is None
    assert unfit(alerts.CLASSIFY, completion("hi")) is not None


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [(None, "max_completion_tokens"), ("http://vllm:8000/v1", "max_tokens")],
)
def test_name_of_the_limit(base_url: str | None, expected: str) -> None:
    """OpenAI itself is told the limit by its new name, all others by the old one."""
    provider = Provider.model_validate({"api": "openai", "base_url": base_url})
    body = json.dumps({"model": "m", "max_tokens": 5}).encode()
    assert json.loads(fit_for(provider, body)) == {"model": "m", expected: 5}
    plain = json.dumps({"model": "m"}).encode()
    assert fit_for(provider, plain) == plain
