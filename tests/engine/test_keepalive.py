"""Comments in a stream whose first token is awaited."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from llmitm.call import Call
from llmitm.engine.delivery import Delivery
from llmitm.engine.keepalive import KeepAlive
from tests.support.origin import until

SOON = 0.001


class Client:
    """The client's side; takes comments until the answer begins."""

    def __init__(self) -> None:
        self.comments = 0
        self.begun = False

    def comment(self) -> bool:
        self.comments += not self.begun
        return not self.begun


def keep_alive(client: Client, interval: float | None, **call: Any) -> KeepAlive:
    made = Call("req_1", call.pop("dialect", "openai"), "chat", "/", stream=True)
    for name, value in call.items():
        setattr(made, name, value)
    return KeepAlive(made, cast("Delivery", client), interval)


async def test_comments_until_the_answer_begins() -> None:
    """A comment after each interval, none once the answer has begun."""
    client = Client()
    with keep_alive(client, SOON):
        await until(lambda: client.comments >= 3)
        client.begun = True
        told = client.comments
        await asyncio.sleep(10 * SOON)
        assert client.comments == told


async def test_nothing_after_the_call() -> None:
    """A call that has ended sends no comment."""
    client = Client()
    with keep_alive(client, SOON):
        pass
    await asyncio.sleep(10 * SOON)
    assert client.comments == 0


@pytest.mark.parametrize(
    "call", [{"interval": None}, {"dialect": "ollama"}, {"stream": False}, {"plain": True}]
)
async def test_no_comments(call: dict[str, Any]) -> None:
    """None where turned off, nor where a comment would not be one: in lines, in whole answers."""
    client = Client()
    with keep_alive(client, call.pop("interval", SOON), **call):
        await asyncio.sleep(10 * SOON)
    assert client.comments == 0
