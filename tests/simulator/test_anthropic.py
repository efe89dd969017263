"""The Messages API through the official SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pydantic
import pytest
from anthropic import AsyncAnthropic

from llmitm.simulator import Settings, Simulator, expected_text
from tests.simulator.raw import MESSAGES, Start

TOOL: Any = {
    "name": "get_weather",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "maximum": 9}},
        "required": ["city", "days"],
    },
}
WHOLE = expected_text(MESSAGES)


class Reading(pydantic.BaseModel):
    place: str
    degrees: int


def ask(*more: dict[str, Any], **fields: Any) -> Any:
    return {"model": "claude", "max_tokens": 100, "messages": [*MESSAGES, *more], **fields}


@pytest.fixture
async def client(sim: Simulator) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(base_url=sim.url, api_key="any", max_retries=0) as client:
        yield client


async def test_create(client: AsyncAnthropic) -> None:
    """Says what OpenAI's chat says to the same words, and counts it."""
    message = await client.messages.create(**ask())
    assert message.content[0].type == "text"
    assert message.content[0].text == WHOLE
    assert message.stop_reason == "end_turn"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (5, 32)


async def test_system_and_limit(client: AsyncAnthropic) -> None:
    """The system prompt counts as OpenAI's does; a limit is the reason to stop."""
    message = await client.messages.create(**ask(system="Be brief.", max_tokens=4))
    assert message.content[0].type == "text"
    assert message.content[0].text == expected_text(MESSAGES, 4, system="Be brief.")
    assert message.stop_reason == "max_tokens"


async def test_event_sequence(client: AsyncAnthropic) -> None:
    """The events come in the API's order, the output counted at the end."""
    stream = await client.messages.create(**ask(max_tokens=2), stream=True)
    events = [event async for event in stream]
    assert [event.type for event in events] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert events[0].message.usage.input_tokens == 5
    assert events[-2].usage.output_tokens == 2


async def test_stream_helper(client: AsyncAnthropic) -> None:
    """The SDK's own stream ends with the message that `create` returns."""
    async with client.messages.stream(**ask()) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        final = await stream.get_final_message()
    assert text == WHOLE
    assert final.stop_reason == "end_turn"
    assert (final.usage.input_tokens, final.usage.output_tokens) == (5, 32)


async def test_tool_use(client: AsyncAnthropic) -> None:
    """Uses the tool with input of its schema, streamed or not, and speaks after the result."""
    message = await client.messages.create(**ask(tools=[TOOL]))
    (use,) = message.content
    assert message.stop_reason == "tool_use"
    assert use.type == "tool_use"
    assert use.input.keys() == {"city", "days"}
    async with client.messages.stream(**ask(tools=[TOOL])) as stream:
        streamed = (await stream.get_final_message()).content[0]
    assert streamed.type == "tool_use"
    assert streamed.input == use.input
    said = {"role": "assistant", "content": [use.model_dump(exclude_none=True)]}
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "rain"}
    message = await client.messages.create(
        **ask(said, {"role": "user", "content": [result]}, tools=[TOOL])
    )
    assert message.content[0].type == "text"


async def test_tool_choice(client: AsyncAnthropic) -> None:
    """With `none` it speaks in spite of the tools, and a named tool is used."""
    quiet = await client.messages.create(**ask(tools=[TOOL], tool_choice={"type": "none"}))
    assert quiet.content[0].type == "text"
    other = {**TOOL, "name": "other"}
    choice = {"type": "tool", "name": "other"}
    named = await client.messages.create(**ask(tools=[TOOL, other], tool_choice=choice))
    assert named.content[0].type == "tool_use"
    assert named.content[0].name == "other"


async def test_structured_output(client: AsyncAnthropic) -> None:
    """The SDK parses the answer into the model it asked for."""
    message = await client.messages.parse(**ask(), output_format=Reading)
    assert isinstance(message.parsed_output, Reading)


async def test_prefill(client: AsyncAnthropic) -> None:
    """An assistant's text given last is continued."""
    half = {"role": "assistant", "content": WHOLE[:23]}
    message = await client.messages.create(**ask(half))
    assert message.content[0].type == "text"
    assert message.content[0].text == WHOLE[23:]


@pytest.mark.parametrize(
    ("model", "content", "says"),
    [
        ("claude", "One ", "trailing whitespace"),
        ("claude@refuse-prefill", "One", "does not support assistant message prefill"),
    ],
)
async def test_refused_prefill(client: AsyncAnthropic, model: str, content: str, says: str) -> None:
    """A prefill must not end in white space, and some models take none."""
    with pytest.raises(anthropic.BadRequestError, match=says):
        await client.messages.create(**ask({"role": "assistant", "content": content}, model=model))


async def test_cache_usage(client: AsyncAnthropic) -> None:
    """Tokens read from and written to the cache are not in the input tokens."""
    model = "claude@ok:prompt=100,cached=40,cache-write=20,cache-write-1h=10,reasoning=6"
    usage = (await client.messages.create(**ask(model=model, max_tokens=5))).usage
    assert usage.input_tokens == 30
    assert usage.cache_read_input_tokens == 40
    assert usage.cache_creation_input_tokens == 30
    assert usage.cache_creation
    assert usage.cache_creation.ephemeral_5m_input_tokens == 20
    assert usage.cache_creation.ephemeral_1h_input_tokens == 10
    assert usage.output_tokens == 11
    assert usage.output_tokens_details
    assert usage.output_tokens_details.thinking_tokens == 6


async def test_count_tokens(client: AsyncAnthropic) -> None:
    """Counts what a message would be charged for."""
    counted = await client.messages.count_tokens(model="claude", messages=ask()["messages"])
    assert counted.input_tokens == 5


async def test_models(client: AsyncAnthropic, sim: Simulator) -> None:
    """Lists the models in this API's own shape."""
    listed = [model async for model in client.models.list()]
    assert [model.id for model in listed] == list(sim.settings.models)
    assert (await client.models.retrieve("sim-small")).display_name == "sim-small"
    with pytest.raises(anthropic.NotFoundError):
        await client.models.retrieve("gpt")


async def test_wrong_key(start: Start) -> None:
    """A wrong key is this API's 401; the right one is taken in either header."""
    url = (await start(Settings(api_key="right"))).url
    async with AsyncAnthropic(base_url=url, api_key="wrong", max_retries=0) as client:
        with pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"):
            await client.messages.create(**ask())
    async with AsyncAnthropic(base_url=url, auth_token="right", max_retries=0) as client:
        assert (await client.messages.create(**ask())).id


async def test_errors_are_the_sdks(client: AsyncAnthropic) -> None:
    """The SDK knows each refusal by its own class, in a reply and in a stream."""
    with pytest.raises(anthropic.RateLimitError):
        await client.messages.create(**ask(model="claude@429"))
    with pytest.raises(anthropic.BadRequestError, match="prompt is too long"):
        await client.messages.create(**ask(model="claude@context-length"))
    with pytest.raises(anthropic.APIStatusError, match="overloaded_error"):
        async with client.messages.stream(**ask(model="claude@error-event")) as stream:
            await stream.get_final_message()


async def test_max_tokens_is_required(client: AsyncAnthropic) -> None:
    """A request without max_tokens is a 400."""
    with pytest.raises(anthropic.BadRequestError, match="max_tokens: Field required"):
        await client.post(
            "/v1/messages", body={"model": "claude", "messages": MESSAGES}, cast_to=object
        )
