"""Chat completions through the official SDK."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, Literal

import openai
import pydantic
import pytest
from openai import AsyncOpenAI

from llmitm.simulator import Settings, Simulator, expected_text
from tests.simulator.raw import MESSAGES, Start

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
            "required": ["city", "days"],
        },
    },
}


class Weather(pydantic.BaseModel):
    city: str
    days: int = pydantic.Field(ge=1)


class Reading(pydantic.BaseModel):
    """What structured output is asked for."""

    class Place(pydantic.BaseModel):
        name: str
        height: float

    kind: Literal["rain", "sun"]
    sure: bool
    count: int
    places: list[Place]
    note: str | None


def history(*more: dict[str, Any]) -> Any:
    return [*MESSAGES, *more]


@pytest.fixture
async def client(sim: Simulator) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{sim.url}/v1", api_key="any", max_retries=0) as client:
        yield client


async def test_whole(client: AsyncOpenAI) -> None:
    """The text is the expected one and the usage counts it."""
    answer = await client.chat.completions.create(model="gpt", messages=history())
    assert answer.choices[0].message.content == expected_text(MESSAGES)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (5, 32)
    assert answer.usage.total_tokens == 37


async def test_stream(client: AsyncOpenAI) -> None:
    """One token an event, the same text, and the usage last where it is asked for."""
    stream = await client.chat.completions.create(
        model="gpt", messages=history(), stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    texts = [chunk.choices[0].delta.content for chunk in chunks[:-1]]
    assert "".join(text or "" for text in texts) == expected_text(MESSAGES)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage
    assert chunks[-1].usage.completion_tokens == 32 == len([text for text in texts if text])
    assert len({chunk.id for chunk in chunks}) == 1


async def test_no_usage_unless_asked(client: AsyncOpenAI) -> None:
    """Without include_usage no chunk has a usage."""
    stream = await client.chat.completions.create(model="gpt", messages=history(), stream=True)
    chunks = [chunk async for chunk in stream]
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
async def test_limit(client: AsyncOpenAI, field: str) -> None:
    """Stops at the limit, with the reason."""
    limits: Any = {field: 4}
    answer = await client.chat.completions.create(model="gpt", messages=history(), **limits)
    assert answer.choices[0].message.content == expected_text(MESSAGES, 4)
    assert answer.choices[0].finish_reason == "length"


async def test_choices(client: AsyncOpenAI) -> None:
    """Each of n choices has its text, streamed or not; the usage counts all of them."""
    answer = await client.chat.completions.create(
        model="gpt", messages=history(), n=2, max_tokens=5
    )
    wanted = [expected_text(MESSAGES, 5, choice=choice) for choice in range(2)]
    assert [choice.message.content for choice in answer.choices] == wanted
    assert answer.usage
    assert answer.usage.completion_tokens == 10
    stream = await client.chat.completions.create(
        model="gpt", messages=history(), n=2, max_tokens=5, stream=True
    )
    texts = ["", ""]
    async for chunk in stream:
        texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert texts == wanted


async def test_tool_call(client: AsyncOpenAI) -> None:
    """Calls the tool with arguments of its schema, and speaks once it has the result."""
    answer = await client.chat.completions.create(model="gpt", messages=history(), tools=[TOOL])
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.content is None
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "get_weather"
    Weather.model_validate_json(call.function.arguments)
    said = answer.choices[0].message.model_dump(exclude_none=True)
    result = {"role": "tool", "tool_call_id": call.id, "content": "rain"}
    answer = await client.chat.completions.create(
        model="gpt", messages=history(said, result), tools=[TOOL]
    )
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.content


async def test_streamed_tool_call(client: AsyncOpenAI) -> None:
    """The SDK's accumulator puts the same call together from the stream."""
    whole = await client.chat.completions.create(model="gpt", messages=history(), tools=[TOOL])
    async with client.chat.completions.stream(
        model="gpt", messages=history(), tools=[TOOL]
    ) as stream:
        streamed = await stream.get_final_completion()
    assert streamed.choices[0].finish_reason == "tool_calls"
    assert arguments(streamed.choices[0].message.tool_calls) == arguments(
        whole.choices[0].message.tool_calls
    )


def arguments(calls: Iterable[Any] | None) -> list[str]:
    return [call.function.arguments for call in calls or ()]


@pytest.mark.parametrize("choice", ["none", "auto"])
async def test_tool_choice(client: AsyncOpenAI, choice: Any) -> None:
    """With `none` it speaks in spite of the tools."""
    answer = await client.chat.completions.create(
        model="gpt", messages=history(), tools=[TOOL], tool_choice=choice
    )
    assert bool(answer.choices[0].message.tool_calls) is (choice == "auto")


async def test_structured_output(client: AsyncOpenAI) -> None:
    """The SDK parses the answer into the model it asked for."""
    answer = await client.chat.completions.parse(
        model="gpt", messages=history(), response_format=Reading
    )
    assert isinstance(answer.choices[0].message.parsed, Reading)


async def test_json_object(client: AsyncOpenAI) -> None:
    """Any JSON object, where no schema is given."""
    answer = await client.chat.completions.create(
        model="gpt", messages=history(), response_format={"type": "json_object"}
    )
    content = answer.choices[0].message.content or ""
    assert isinstance(pydantic.TypeAdapter(dict[str, str]).validate_json(content), dict)


CUT = expected_text(MESSAGES, 10)
REST = expected_text(MESSAGES).removeprefix(CUT)
HALF = {"role": "assistant", "content": CUT}


@pytest.mark.parametrize("model", ["gpt", "gpt+prefill", "gpt@ok+prefill", "gpt+prefill@ok"])
async def test_prefill(client: AsyncOpenAI, model: str) -> None:
    """Continues an assistant's message where the model's name says so, else takes a new turn."""
    answer = await client.chat.completions.create(model=model, messages=history(HALF))
    new = expected_text(history(HALF), prefill=False)
    assert answer.choices[0].message.content == (REST if "+prefill" in model else new)


@pytest.mark.parametrize(
    ("settings", "model", "content"),
    [
        ({"prefill": True}, "gpt", REST),
        ({"refuse_prefill": True}, "gpt", None),
        ({"refuse_prefill": True}, "gpt+prefill", REST),
        ({"prefill": True}, "gpt@refuse-prefill", None),
    ],
)
async def test_prefill_settings(
    start: Start, settings: Any, model: str, content: str | None
) -> None:
    """The settings continue or refuse a prefill, the model's name and the fault know better."""
    url = (await start(Settings(**settings))).url
    async with AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
        if content is None:
            with pytest.raises(openai.BadRequestError, match="prefill"):
                await client.chat.completions.create(model=model, messages=history(HALF))
            return
        answer = await client.chat.completions.create(model=model, messages=history(HALF))
        assert answer.choices[0].message.content == content


async def test_usage_details(client: AsyncOpenAI) -> None:
    """Cached, reasoning and audio tokens are what the fault's parameters say."""
    model = "gpt@ok:prompt=100,cached=40,cache-write=7,reasoning=9,audio-prompt=3"
    answer = await client.chat.completions.create(model=model, messages=history(), max_tokens=5)
    assert answer.usage
    assert answer.usage.prompt_tokens == 100
    assert answer.usage.completion_tokens == 14
    prompt, completion = answer.usage.prompt_tokens_details, answer.usage.completion_tokens_details
    assert prompt
    assert (prompt.cached_tokens, prompt.cache_write_tokens, prompt.audio_tokens) == (40, 7, 3)
    assert completion
    assert completion.reasoning_tokens == 9


async def test_errors_are_the_sdks(client: AsyncOpenAI) -> None:
    """The SDK knows each refusal by its own class and code."""
    with pytest.raises(openai.RateLimitError) as limited:
        await client.chat.completions.create(model="gpt@429", messages=history())
    assert limited.value.code == "rate_limit_exceeded"
    with pytest.raises(openai.BadRequestError) as long:
        await client.chat.completions.create(model="sim-context-length", messages=history())
    assert long.value.code == "context_length_exceeded"
    with pytest.raises(openai.APIConnectionError):
        await client.chat.completions.create(model="gpt@reset", messages=history())
    stream = await client.chat.completions.create(
        model="gpt@error-event", messages=history(), stream=True
    )
    with pytest.raises(openai.APIError, match="overloaded"):
        _ = [chunk async for chunk in stream]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["Hi"]}, "messages"),
        ({"messages": MESSAGES, "max_tokens": 0}, "max_tokens"),
        ({"messages": MESSAGES, "n": 1000}, "n"),
        ({"messages": MESSAGES, "tools": ["x"]}, "tools"),
    ],
)
async def test_invalid_requests(client: AsyncOpenAI, body: Any, param: str) -> None:
    """A request that makes no sense is a 400 that names the field."""
    with pytest.raises(openai.BadRequestError) as refused:
        await client.post("/chat/completions", body={"model": "gpt", **body}, cast_to=object)
    assert refused.value.param == param


async def test_sync_sdk(sim: Simulator) -> None:
    """The synchronous client works as well."""

    def ask() -> str | None:
        with openai.OpenAI(base_url=f"{sim.url}/v1", api_key="any") as client:
            answer = client.chat.completions.create(model="gpt", messages=history())
            return answer.choices[0].message.content

    assert await asyncio.to_thread(ask) == expected_text(MESSAGES)
