"""Anthropic's own SDK, unmodified, through the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from tests.journeys.conftest import MODELS, Stand
from tests.support.calls import one_call

MESSAGES: Any = [{"role": "user", "content": "How is the weather in Paris?"}]
WEATHER: Any = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
ASKED: Any = {"model": "sim-small", "max_tokens": 100, "messages": MESSAGES}


@pytest.fixture(params=["x-api-key", "bearer", "prefix"])
def client(stand: Stand, request: pytest.FixtureRequest) -> Iterator[anthropic.Anthropic]:
    match request.param:
        case "x-api-key":
            made = anthropic.Anthropic(base_url=stand.url, api_key=stand.key, max_retries=0)
        case "bearer":
            made = anthropic.Anthropic(base_url=stand.url, auth_token=stand.key, max_retries=0)
        case _:
            made = anthropic.Anthropic(
                base_url=f"{stand.url}/anthropic", api_key=stand.key, max_retries=0
            )
    with made as client:
        yield client


def test_messages(client: anthropic.Anthropic, stand: Stand) -> None:
    """A message comes back with its text and usage, and the request id is the gateway's."""
    with one_call(stand.watcher) as calls:
        answer = client.messages.create(**ASKED)
    assert answer.content[0].type == "text"
    assert answer.content[0].text
    assert answer.usage.output_tokens == 12
    assert answer._request_id == calls[0].request_id


def test_stream(client: anthropic.Anthropic) -> None:
    """The pieces of a stream are the text of the whole message."""
    whole = client.messages.create(**ASKED)
    with client.messages.stream(**ASKED) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert whole.content[0].type == "text"
    assert text == whole.content[0].text
    assert final.usage.output_tokens == whole.usage.output_tokens
    assert final.stop_reason == whole.stop_reason


def test_tools(client: anthropic.Anthropic) -> None:
    """A tool call comes back, whole and streamed."""
    asked = {**ASKED, "tools": [WEATHER], "tool_choice": {"type": "any"}}
    whole = client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        final = stream.get_final_message()
    for message in (whole, final):
        used: Any = next(block for block in message.content if block.type == "tool_use")
        assert used.name == "get_weather"
        assert "city" in used.input
        assert message.stop_reason == "tool_use"


def test_count_tokens(client: anthropic.Anthropic) -> None:
    """Tokens are counted by the provider."""
    counted = client.messages.count_tokens(model="sim-small", messages=MESSAGES)
    assert counted.input_tokens > 0


def test_models(client: anthropic.Anthropic) -> None:
    """The models are those of the routes, in Anthropic's shape."""
    assert sorted(m.id for m in client.models.list()) == sorted(MODELS)
    assert client.models.retrieve("sim-small").id == "sim-small"


async def test_async(stand: Stand) -> None:
    """The async SDK works, whole and streamed."""
    async with anthropic.AsyncAnthropic(base_url=stand.url, api_key=stand.key) as client:
        whole = await client.messages.create(**ASKED)
        async with client.messages.stream(**ASKED) as stream:
            text = await stream.get_final_text()
    assert whole.content[0].type == "text"
    assert text == whole.content[0].text


def test_errors_are_the_sdks_own(stand: Stand) -> None:
    """Refusals raise the SDK's own exceptions, in a stream too."""
    with anthropic.Anthropic(base_url=stand.url, api_key="sk-wrong", max_retries=0) as client:
        with pytest.raises(anthropic.AuthenticationError):
            client.messages.create(**ASKED)
        right = client.copy(api_key=stand.key)
        with pytest.raises(anthropic.NotFoundError):
            right.messages.create(**{**ASKED, "model": "x@404"})
        with (
            pytest.raises(anthropic.APIStatusError),
            right.messages.stream(**{**ASKED, "model": "x@error-event:after=3"}) as stream,
        ):
            stream.until_done()
