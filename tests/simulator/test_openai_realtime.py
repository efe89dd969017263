"""The Realtime API, through the official SDK and on a bare WebSocket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from openai import AsyncOpenAI

from llmitm.simulator import Simulator, expected_text
from tests.simulator.raw import MESSAGES

ITEM: Any = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": "Hi there"}],
}
CREATE = [{"type": "conversation.item.create", "item": ITEM}, {"type": "response.create"}]
WHOLE = expected_text(MESSAGES)


@pytest.fixture
async def client(sim: Simulator) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{sim.url}/v1", api_key="any") as client:
        yield client


async def converse(
    http: aiohttp.ClientSession, sim: Simulator, model: str, *sent: Any
) -> AsyncIterator[dict[str, Any]]:
    async with http.ws_connect(f"{sim.url}/v1/realtime?model={model}") as socket:
        for event in sent:
            await socket.send_json(event)
        async for message in socket:
            event = json.loads(message.data)
            yield event
            if event["type"] in ("response.done", "error"):
                return


async def test_sdk(client: AsyncOpenAI) -> None:
    """The SDK has a conversation in the general API's events."""
    async with client.realtime.connect(model="gpt-realtime") as connection:
        await connection.session.update(session={"type": "realtime", "instructions": "Be brief."})
        await connection.conversation.item.create(item=ITEM)
        await connection.response.create()
        text = ""
        async for event in connection:
            if event.type == "response.output_text.delta":
                text += event.delta
            elif event.type == "response.done":
                done = event.response
                break
    assert text == expected_text(MESSAGES, system="Be brief.")
    assert done.status == "completed"
    assert done.usage
    assert done.usage.output_tokens == 32


async def test_beta_events(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """Without a session of that type the events have the beta's names."""
    events = [event async for event in converse(http, sim, "gpt", *CREATE)]
    names = [event["type"] for event in events]
    assert names[:2] == ["session.created", "conversation.item.created"]
    deltas = [event["delta"] for event in events if event["type"] == "response.text.delta"]
    assert "".join(deltas) == WHOLE
    assert names[-1] == "response.done"
    assert (sim.requests[0].status, sim.requests[0].model) == (101, "gpt")


async def test_what_was_said_is_part_of_the_conversation(
    http: aiohttp.ClientSession, sim: Simulator
) -> None:
    """A second answer goes on from the first."""
    async with http.ws_connect(f"{sim.url}/v1/realtime?model=gpt") as socket:
        for event in (*CREATE, *CREATE):
            await socket.send_json(event)
        texts: list[str] = []
        while len(texts) < 2:
            event = await socket.receive_json()
            if event["type"] == "response.text.done":
                texts.append(event["text"])
    history = [*MESSAGES, {"role": "assistant", "content": WHOLE}, *MESSAGES]
    assert texts == [WHOLE, expected_text(history)]


@pytest.mark.parametrize("sent", ["Hi", "[]", '{"type": "dance"}', '{"type": "session.update"}'])
async def test_unknown_events(http: aiohttp.ClientSession, sim: Simulator, sent: str) -> None:
    """What is no event is answered with an error, and the connection stays."""
    async with http.ws_connect(f"{sim.url}/v1/realtime?model=gpt") as socket:
        await socket.receive_json()
        await socket.send_str(sent)
        assert (await socket.receive_json())["type"] == "error"
        await socket.send_json(CREATE[1])
        assert (await socket.receive_json())["type"] == "response.created"


@pytest.mark.parametrize(("fault", "status"), [("429", 429), ("503", 503), ("502", 502)])
async def test_refused_handshake(
    http: aiohttp.ClientSession, sim: Simulator, fault: str, status: int
) -> None:
    """A refusal comes in place of the WebSocket."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect(f"{sim.url}/v1/realtime?model=gpt@{fault}")
    assert refused.value.status == status


async def test_reset_handshake(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """A reset comes before the WebSocket."""
    with pytest.raises(aiohttp.ClientConnectionError):
        await http.ws_connect(f"{sim.url}/v1/realtime?model=gpt@reset")


async def test_cut(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """The connection ends after so many tokens, without a response.done."""
    events = [event async for event in converse(http, sim, "gpt@cut:after=3", *CREATE)]
    names = [event["type"] for event in events]
    assert names.count("response.text.delta") == 3
    assert "response.done" not in names


async def test_error_event(http: aiohttp.ClientSession, sim: Simulator) -> None:
    """An error event ends the answer."""
    events = [event async for event in converse(http, sim, "gpt@error-event:after=1", *CREATE)]
    assert events[-1]["type"] == "error"
    assert events[-1]["error"]["code"] == "server_is_overloaded"
