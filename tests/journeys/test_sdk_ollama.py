"""Ollama's own Python client, and LangChain's, unmodified, through the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ollama
import pytest
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, SecretStr

from tests.journeys.conftest import MODELS, Stand

MESSAGES = [{"role": "user", "content": "How is the weather in Paris?"}]


class City(BaseModel):
    name: str
    inhabitants: int


@pytest.fixture(params=["", "/ollama"])
def client(stand: Stand, request: pytest.FixtureRequest) -> Iterator[ollama.Client]:
    headers = {"Authorization": f"Bearer {stand.key}"}
    client = ollama.Client(host=stand.url + request.param, headers=headers)
    yield client
    client._client.close()


def test_chat(client: ollama.Client) -> None:
    """A chat answer comes back, and its stream says the same."""
    whole = client.chat(model="sim-small", messages=MESSAGES)
    parts = list(client.chat(model="sim-small", messages=MESSAGES, stream=True))
    assert "".join(p.message.content or "" for p in parts) == whole.message.content
    assert parts[-1].done
    assert parts[-1].eval_count == whole.eval_count == 12


def test_generate(client: ollama.Client) -> None:
    """A generation comes back, and its stream says the same."""
    whole = client.generate(model="sim-small", prompt="Once upon")
    parts = list(client.generate(model="sim-small", prompt="Once upon", stream=True))
    assert whole.response
    assert "".join(p.response or "" for p in parts) == whole.response


def test_structured_output(client: ollama.Client) -> None:
    """An answer in the format of a JSON schema fits it."""
    answer = client.chat(model="sim-small", messages=MESSAGES, format=City.model_json_schema())
    City.model_validate_json(answer.message.content or "")


def test_tools(client: ollama.Client) -> None:
    """A tool call comes back."""

    def get_weather(city: str) -> str:
        """The weather of a city."""
        return city

    answer = client.chat(model="sim-small", messages=MESSAGES, tools=[get_weather])
    if answer.message.tool_calls:
        assert answer.message.tool_calls[0].function.name == "get_weather"
    else:
        assert answer.message.content


def test_embed(client: ollama.Client) -> None:
    """Embeddings come back, one for each text."""
    assert len(client.embed(model="sim-embed", input=["one", "two"]).embeddings) == 2


def test_list_and_show(client: ollama.Client) -> None:
    """The models are those of the routes; one can be shown; none is said to be running."""
    assert sorted(m.model or "" for m in client.list().models) == sorted(MODELS)
    assert client.show("sim-small").capabilities
    assert list(client.ps().models) == []


async def test_async(stand: Stand) -> None:
    """The async client works, whole and streamed."""
    client = ollama.AsyncClient(host=stand.url, headers={"Authorization": f"Bearer {stand.key}"})
    whole = await client.chat(model="sim-small", messages=MESSAGES)
    stream = await client.chat(model="sim-small", messages=MESSAGES, stream=True)
    text = "".join([part.message.content or "" async for part in stream])
    assert text == whole.message.content
    await client._client.aclose()


def test_errors_are_the_clients_own(client: ollama.Client) -> None:
    """Refusals raise the client's own exception with their status, in a stream too."""
    with pytest.raises(ollama.ResponseError) as refused:
        client.chat(model="x@400", messages=MESSAGES)
    assert refused.value.status_code == 400
    with pytest.raises(ollama.ResponseError):
        for _ in client.chat(model="x@error-event:after=3", messages=MESSAGES, stream=True):
            pass


@pytest.fixture
def langchain(stand: Stand) -> dict[str, Any]:
    return {
        "base_url": f"{stand.url}/v1",
        "api_key": SecretStr(stand.key),
        "max_retries": 0,
    }


def test_langchain(langchain: dict[str, Any]) -> None:
    """LangChain's ChatOpenAI invokes, streams, counts and parses."""
    model = ChatOpenAI(model="sim-small", **langchain)
    whole = model.invoke("hello")
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["output_tokens"] == 12
    streamed = "".join(str(chunk.content) for chunk in model.stream("hello"))
    assert streamed == whole.content
    assert isinstance(model.with_structured_output(City).invoke("a city"), City)


def test_langchain_embeddings(langchain: dict[str, Any]) -> None:
    """LangChain's embeddings, which sends token ids, work."""
    embeddings = OpenAIEmbeddings(model="sim-embed", check_embedding_ctx_length=False, **langchain)
    assert len(embeddings.embed_documents(["one", "two"])) == 2
