"""Ollama's API through the official SDK."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import ollama
import pydantic
import pytest

from llmitm.simulator import Simulator, expected_text
from tests.simulator.raw import MESSAGES, Post

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
WHOLE = expected_text(MESSAGES)


class Reading(pydantic.BaseModel):
    place: str
    degrees: int


@pytest.fixture
async def client(sim: Simulator) -> AsyncIterator[ollama.AsyncClient]:
    async with ollama.AsyncClient(sim.url) as client:
        yield client


async def test_chat(client: ollama.AsyncClient) -> None:
    """Says what OpenAI's chat says to the same words, and counts it."""
    answer = await client.chat("llama", MESSAGES)
    assert answer.message.content == WHOLE
    assert (answer.done, answer.done_reason) == (True, "stop")
    assert (answer.prompt_eval_count, answer.eval_count) == (5, 32)


async def test_streamed_chat(client: ollama.AsyncClient) -> None:
    """A line for each token, and one that is done with the counts."""
    lines = [line async for line in await client.chat("llama", MESSAGES, stream=True)]
    assert "".join(line.message.content or "" for line in lines) == WHOLE
    assert [line.done for line in lines] == [False] * 32 + [True]
    assert lines[-1].eval_count == 32


async def test_streams_by_default(post: Post) -> None:
    """Without `stream` in the body the answer is lines of JSON."""
    reply = await post("/api/chat", {"model": "llama", "messages": MESSAGES})
    assert reply.content_type == "application/x-ndjson"
    lines = [json.loads(line) for line in (await reply.text()).splitlines()]
    assert len(lines) == 33


@pytest.mark.parametrize(("limit", "reason"), [(4, "length"), (-1, "stop")])
async def test_limit(client: ollama.AsyncClient, limit: int, reason: str) -> None:
    """num_predict limits the answer; below 1 it doesn't."""
    answer = await client.chat("llama", MESSAGES, options={"num_predict": limit})
    assert answer.message.content == expected_text(MESSAGES, limit if limit > 0 else 32)
    assert answer.done_reason == reason


async def test_prefill(client: ollama.AsyncClient) -> None:
    """An assistant's message given last is continued."""
    half = {"role": "assistant", "content": WHOLE[:17]}
    answer = await client.chat("llama", [*MESSAGES, half])
    assert answer.message.content == WHOLE[17:]


async def test_tools(client: ollama.AsyncClient) -> None:
    """Calls the tool, streamed or not, and speaks after the result."""
    answer = await client.chat("llama", MESSAGES, tools=[TOOL])
    (call,) = answer.message.tool_calls or []
    assert call.function.name == "get_weather"
    assert call.function.arguments.keys() == {"city"}
    lines = [line async for line in await client.chat("llama", MESSAGES, tools=[TOOL], stream=True)]
    assert [line.message.tool_calls for line in lines] == [[call], None]
    history: list[Any] = [*MESSAGES, answer.message, {"role": "tool", "content": "rain"}]
    assert (await client.chat("llama", history, tools=[TOOL])).message.content


async def test_formats(client: ollama.AsyncClient) -> None:
    """JSON of any kind or of a schema."""
    free = await client.chat("llama", MESSAGES, format="json")
    assert isinstance(json.loads(free.message.content or ""), dict)
    bound = await client.chat("llama", MESSAGES, format=Reading.model_json_schema())
    Reading.model_validate_json(bound.message.content or "")


async def test_generate(client: ollama.AsyncClient) -> None:
    """A prompt is answered as a user's message, streamed or not; none loads the model."""
    whole = await client.generate("llama", "Hi there")
    assert whole.response == WHOLE
    lines = [line async for line in await client.generate("llama", "Hi there", stream=True)]
    assert "".join(line.response or "" for line in lines) == WHOLE
    system = await client.generate("llama", "Hi there", system="Be brief.")
    assert system.response == expected_text(MESSAGES, system="Be brief.")
    assert (await client.generate("llama")).done_reason == "load"


async def test_embeddings(client: ollama.AsyncClient) -> None:
    """Both forms give the same vector."""
    new = await client.embed("llama", ["Hi there", "Bye"])
    old = await client.embeddings("llama", "Hi there")
    assert list(old.embedding) == list(new.embeddings[0])
    assert len(new.embeddings) == 2
    assert new.prompt_eval_count == 3


async def test_a_count_of_zero_is_absent(post: Post) -> None:
    """As in Ollama's own JSON."""
    body = {"model": "llama@ok:prompt=0,completion=0", "messages": MESSAGES, "stream": False}
    answer = await (await post("/api/chat", body)).json()
    assert answer["done"] is True
    assert not {"prompt_eval_count", "eval_count"} & answer.keys()


async def test_listing(client: ollama.AsyncClient, sim: Simulator, post: Post) -> None:
    """Lists, shows and names the models and the version."""
    models = (await client.list()).models
    assert [model.model for model in models] == list(sim.settings.models)
    assert [model.model for model in (await client.ps()).models] == ["sim-small"]
    assert (await client.show("sim-small")).details
    with pytest.raises(ollama.ResponseError, match="not found"):
        await client.show("llama")


async def test_errors_are_the_sdks(client: ollama.AsyncClient) -> None:
    """The SDK raises what a reply or a line of a stream says."""
    with pytest.raises(ollama.ResponseError, match="server busy") as busy:
        await client.chat("llama@503", MESSAGES)
    assert busy.value.status_code == 503
    stream = await client.chat("llama@error-event", MESSAGES, stream=True)
    with pytest.raises(ollama.ResponseError, match="server busy"):
        _ = [line async for line in stream]
