"""A running call is ended from outside, and that is told apart from a client that leaves."""

from __future__ import annotations

import asyncio

import pytest

from llmitm.call import Call
from llmitm.engine.killing import kill, killed
from llmitm.errors import Cause


async def answering(call: Call) -> Cause | None:
    """Waits for ever, as a call does whose provider is silent."""
    call.task = asyncio.current_task()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        verdict = killed(call)
        if verdict is None:
            raise
        await asyncio.sleep(0)  # it may go on, to say so
        return verdict.cause
    return None


def call() -> Call:
    return Call("req_1", "openai", "chat", "/v1/chat/completions")


async def test_killed() -> None:
    """The call goes on where it catches the cancellation, once."""
    running = call()
    task = asyncio.ensure_future(answering(running))
    await asyncio.sleep(0)
    assert kill(running)
    assert not kill(running)
    assert await task is Cause.KILLED
    assert not task.cancelling()


@pytest.mark.parametrize("killed_too", [False, True])
async def test_a_client_that_leaves(killed_too: bool) -> None:
    """Its call is cancelled as ever, also when it leaves while the call is killed."""
    running = call()
    task = asyncio.ensure_future(answering(running))
    await asyncio.sleep(0)
    if killed_too:
        assert kill(running)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_nothing_to_end() -> None:
    """A call that nobody answers at the moment can't be killed."""
    assert not kill(call())
