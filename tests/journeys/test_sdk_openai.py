"""OpenAI's own SDK, unmodified, through the gateway."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel

from tests.journeys.conftest import MODELS, Stand
from tests.support.calls import one_call

MESSAGES: Any = [{"role": "user", "content": "How is the weather in Paris?"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


class City(BaseModel):
    name: str
    inhabitants: int


@pytest.fixture
def client(stand: Stand) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{stand.url}/v1", api_key=stand.key, max_retries=0) as client:
        yield client


@pytest.fixture
async def async_client(stand: Stand) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=f"{stand.url}/v1", api_key=stand.key, max_retries=0
    ) as client:
        yield client


def test_chat(client: openai.OpenAI) -> None:
    """A completion comes back with its text, finish reason and usage."""
    answer = client.chat.completions.create(model="sim-small", messages=MESSAGES)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 12
    assert answer.model == "sim-small"


def test_chat_says_the_same_streamed_and_whole(client: openai.OpenAI) -> None:
    """The pieces of a stream are the text of the whole answer; no usage that nobody asked for."""
    whole = client.chat.completions.create(model="sim-small", messages=MESSAGES)
    stream = client.chat.completions.create(model="sim-small", messages=MESSAGES, stream=True)
    chunks = list(stream)
    text = "".join(c.choices[0].delta.content or "" for c in chunks)
    assert text == whole.choices[0].message.content
    assert all(chunk.choices for chunk in chunks)
    assert all(chunk.usage is None for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason


def test_chat_stream_with_usage(client: openai.OpenAI) -> None:
    """Usage that the client asked for is there, in a last chunk without choices."""
    stream = client.chat.completions.create(
        model="sim-small",
        messages=MESSAGES,
        stream=True,
        stream_options={"include_usage": True},
    )
    *_, last = stream
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens == 12


def test_tools(client: openai.OpenAI) -> None:
    """A tool call comes back, whole and streamed, with arguments that are JSON."""
    wanted: Any = {
        "model": "sim-small",
        "messages": MESSAGES,
        "tools": [WEATHER],
        "tool_choice": "required",
    }
    answer = client.chat.completions.create(**wanted)
    calls = answer.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].type == "function"
    assert calls[0].function.name == "get_weather"
    assert "city" in json.loads(calls[0].function.arguments)
    arguments = ""
    for chunk in client.chat.completions.create(**wanted, stream=True):
        for part in chunk.choices[0].delta.tool_calls or ():
            arguments += (part.function.arguments if part.function else None) or ""
    assert json.loads(arguments) == json.loads(calls[0].function.arguments)


def test_structured_output(client: openai.OpenAI) -> None:
    """`parse` gives an object of the class that was asked for, `stream` too."""
    answer = client.chat.completions.parse(
        model="sim-small", messages=MESSAGES, response_format=City
    )
    assert isinstance(answer.choices[0].message.parsed, City)
    with client.chat.completions.stream(
        model="sim-small", messages=MESSAGES, response_format=City
    ) as stream:
        streamed = stream.get_final_completion()
    assert streamed.choices[0].message.parsed == answer.choices[0].message.parsed


def test_completions(client: openai.OpenAI) -> None:
    """The older completions work, whole and streamed."""
    whole = client.completions.create(model="sim-small", prompt="Once upon", max_tokens=5)
    stream = client.completions.create(
        model="sim-small", prompt="Once upon", max_tokens=5, stream=True
    )
    assert "".join(c.choices[0].text for c in stream) == whole.choices[0].text


def test_embeddings(client: openai.OpenAI) -> None:
    """Embeddings come back in order, in the base64 form that the SDK asks for."""
    answer = client.embeddings.create(model="sim-embed", input=["one", "two"])
    assert [e.index for e in answer.data] == [0, 1]
    assert len(answer.data[0].embedding) == len(answer.data[1].embedding) > 1
    assert answer.usage.prompt_tokens > 0


def test_models(client: openai.OpenAI) -> None:
    """The models are those of the routes; one is found by its name, another is a 404."""
    assert sorted(m.id for m in client.models.list()) == sorted(MODELS)
    assert client.models.retrieve("sim-small").id == "sim-small"


def test_responses(client: openai.OpenAI) -> None:
    """The Responses API works whole, streamed and parsed."""
    whole = client.responses.create(model="sim-small", input="Say something.")
    assert whole.output_text
    assert whole.usage is not None
    assert whole.usage.output_tokens > 0
    events = list(client.responses.create(model="sim-small", input="Say something.", stream=True))
    text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert text == whole.output_text
    assert events[-1].type == "response.completed"
    parsed = client.responses.parse(model="sim-small", input="A city.", text_format=City)
    assert isinstance(parsed.output_parsed, City)


def test_files(client: openai.OpenAI) -> None:
    """A file is uploaded, listed, found and deleted."""
    made = client.files.create(file=("notes.jsonl", b'{"a": 1}\n'), purpose="batch")
    assert made.bytes == 9
    assert client.files.retrieve(made.id).filename == "notes.jsonl"
    assert made.id in [f.id for f in client.files.list()]
    assert client.files.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(made.id)


def test_transcription(client: openai.OpenAI, stand: Stand) -> None:
    """A transcription, which is a form, is routed by the model field of the form."""
    recording = io.BytesIO(b"RIFF" + bytes(2000))
    with one_call(stand.watcher) as calls:
        answer = client.audio.transcriptions.create(
            model="sim-small", file=("speech.wav", recording)
        )
    assert answer.text
    assert calls[0].model == "sim-small"
    assert calls[0].operation == "audio"


def test_images_and_moderations(client: openai.OpenAI) -> None:
    """Pictures and moderations pass through."""
    images = client.images.generate(model="sim-small", prompt="a cat")
    assert images.data is not None
    assert images.data[0].b64_json
    moderated = client.moderations.create(model="sim-small", input="hello")
    assert moderated.results[0].flagged is False


def test_raw_response(client: openai.OpenAI) -> None:
    """The SDK's request id is the gateway's, and the reply says which target answered."""
    raw = client.chat.completions.with_raw_response.create(model="sim-small", messages=MESSAGES)
    assert raw.request_id is not None
    assert raw.request_id.startswith("req_")
    assert raw.headers["x-llmitm-target"] == "sim/sim-small"
    assert raw.headers["x-llmitm-attempts"] == "1"
    assert float(raw.headers["x-llmitm-cost-usd"]) > 0


async def test_async(async_client: openai.AsyncOpenAI) -> None:
    """The async SDK works, whole and streamed."""
    whole = await async_client.chat.completions.create(model="sim-small", messages=MESSAGES)
    stream = await async_client.chat.completions.create(
        model="sim-small", messages=MESSAGES, stream=True
    )
    text = "".join([c.choices[0].delta.content or "" async for c in stream])
    assert text == whole.choices[0].message.content
    embedded = await async_client.embeddings.create(model="sim-embed", input="one")
    assert embedded.data


async def test_realtime(async_client: openai.AsyncOpenAI, stand: Stand) -> None:
    """The SDK's Realtime client talks through the gateway, which counts one call."""
    with one_call(stand.watcher) as calls:
        async with async_client.realtime.connect(model="sim-small") as connection:
            await connection.session.update(session={"type": "realtime"})
            await connection.conversation.item.create(
                item={
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "hi"}],
                }
            )
            await connection.response.create()
            text = ""
            async for event in connection:
                if event.type == "response.output_text.delta":
                    text += event.delta
                if event.type == "response.done":
                    break
    assert text
    assert calls[0].operation == "realtime"
    assert calls[0].status == 101


def test_errors_are_the_sdks_own(client: openai.OpenAI, stand: Stand) -> None:
    """Refusals of the gateway and of the provider raise the SDK's own exceptions."""
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sk-wrong").models.list()
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="x@context-length", messages=MESSAGES)
    assert refused.value.code == "context_length_exceeded"
    with pytest.raises(openai.APIError):
        for _ in client.chat.completions.create(
            model="x@error-event:after=3", messages=MESSAGES, stream=True
        ):
            pass


def test_curl_sees_the_providers_bytes(stand: Stand) -> None:
    """What `curl -N` sees of a stream is, byte for byte, what the provider sent."""
    body = {
        "model": "sim-small",
        "messages": MESSAGES,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    both = []
    for url, key in (
        (stand.url, stand.key),
        (stand.simulator.url, stand.simulator.settings.api_key),
    ):
        reply = httpx.post(
            f"{url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {key}"}
        )
        assert reply.headers["content-type"].startswith("text/event-stream")
        both.append(reply.content)
    ids = [json.loads(b.split(b"\n", 1)[0].removeprefix(b"data: "))["id"] for b in both]
    made = [json.loads(b.split(b"\n", 1)[0].removeprefix(b"data: "))["created"] for b in both]
    same = both[1].replace(ids[1].encode(), ids[0].encode())
    assert same.replace(b"%d" % made[1], b"%d" % made[0]) == both[0]
