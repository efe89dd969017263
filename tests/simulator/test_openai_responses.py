"""The Responses API through the official SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pydantic
import pytest
from openai import AsyncOpenAI

from llmitm.simulator import Simulator, expected_text
from tests.simulator.raw import MESSAGES

TOOL: Any = {
    "type": "function",
    "name": "get_weather",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
WHOLE = expected_text(MESSAGES)


class Reading(pydantic.BaseModel):
    place: str
    degrees: int


@pytest.fixture
async def client(sim: Simulator) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{sim.url}/v1", api_key="any", max_retries=0) as client:
        yield client


async def test_create(client: AsyncOpenAI) -> None:
    """Says what chat says to the same words, and counts it."""
    answer = await client.responses.create(model="gpt", input="Hi there")
    assert answer.output_text == WHOLE
    assert answer.status == "completed"
    assert answer.usage
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (5, 32)


async def test_instructions_are_a_system_prompt(client: AsyncOpenAI) -> None:
    """Instructions and items count as chat's messages do."""
    answer = await client.responses.create(
        model="gpt",
        instructions="Be brief.",
        input=[{"role": "user", "content": [{"type": "input_text", "text": "Hi there"}]}],
    )
    assert answer.output_text == expected_text(MESSAGES, system="Be brief.")


async def test_limit(client: AsyncOpenAI) -> None:
    """A limit leaves the response incomplete, and says why."""
    answer = await client.responses.create(model="gpt", input="Hi there", max_output_tokens=3)
    assert answer.output_text == expected_text(MESSAGES, 3)
    assert answer.status == "incomplete"
    assert answer.incomplete_details
    assert answer.incomplete_details.reason == "max_output_tokens"


async def test_event_sequence(client: AsyncOpenAI) -> None:
    """The events come in the API's order, numbered without a gap."""
    stream = await client.responses.create(
        model="gpt", input="Hi there", max_output_tokens=2, stream=True
    )
    events = [event async for event in stream]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.incomplete",
    ]


async def test_stream_helper(client: AsyncOpenAI) -> None:
    """The SDK's own stream ends with the response that `create` returns."""
    async with client.responses.stream(model="gpt", input="Hi there") as stream:
        deltas = [
            event.delta async for event in stream if event.type == "response.output_text.delta"
        ]
        final = await stream.get_final_response()
    assert "".join(deltas) == final.output_text == WHOLE
    assert final.usage
    assert final.usage.output_tokens == len(deltas)


async def test_parse(client: AsyncOpenAI) -> None:
    """The SDK parses the answer into the model it asked for, streamed or not."""
    answer = await client.responses.parse(model="gpt", input="Hi there", text_format=Reading)
    assert isinstance(answer.output_parsed, Reading)
    async with client.responses.stream(
        model="gpt", input="Hi there", text_format=Reading
    ) as stream:
        final = await stream.get_final_response()
    assert final.output_parsed == answer.output_parsed


async def test_function_call(client: AsyncOpenAI) -> None:
    """Calls the function, and speaks once it has the output."""
    answer = await client.responses.create(model="gpt", input="Hi there", tools=[TOOL])
    (call,) = answer.output
    assert call.type == "function_call"
    assert "city" in call.arguments
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
    given: Any = [*MESSAGES, call.to_dict(), output]
    answer = await client.responses.create(model="gpt", input=given, tools=[TOOL])
    assert answer.output_text


async def test_streamed_function_call(client: AsyncOpenAI) -> None:
    """The SDK puts the same arguments together from the stream."""
    whole = await client.responses.create(model="gpt", input="Hi there", tools=[TOOL])
    async with client.responses.stream(model="gpt", input="Hi there", tools=[TOOL]) as stream:
        final = await stream.get_final_response()
    assert whole.output[0].type == final.output[0].type == "function_call"
    assert final.output[0].arguments == whole.output[0].arguments


async def test_tool_choice_none(client: AsyncOpenAI) -> None:
    """With `none` it speaks in spite of the tools."""
    answer = await client.responses.create(
        model="gpt", input="Hi there", tools=[TOOL], tool_choice="none"
    )
    assert answer.output_text == WHOLE


async def test_prefill(client: AsyncOpenAI) -> None:
    """An assistant's item given last is continued where the model's name says so."""
    half: Any = [*MESSAGES, {"role": "assistant", "content": WHOLE[:20]}]
    answer = await client.responses.create(model="gpt+prefill", input=half)
    assert answer.output_text == WHOLE[20:]


async def test_error_event(client: AsyncOpenAI) -> None:
    """The stream ends with the API's own error event."""
    stream = await client.responses.create(model="gpt@error-event", input="Hi there", stream=True)
    last = [event async for event in stream][-1]
    assert last.type == "error"
    assert (last.code, last.sequence_number) == ("server_is_overloaded", 7)


@pytest.mark.parametrize("given", [None, [], 3])
async def test_invalid_input(client: AsyncOpenAI, given: Any) -> None:
    """An input that makes no sense is a 400."""
    with pytest.raises(openai.BadRequestError):
        await client.responses.create(model="gpt", input=given)
