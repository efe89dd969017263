"""Calls are sent again as their key, through the lifecycle of calls."""

from __future__ import annotations

import asyncio
from typing import Any

from mitmproxy import flow as mitm_flow
from mitmproxy import http
from mitmproxy.websocket import WebSocketData

from llmitm.call import call_of
from llmitm.inspector.book import Book
from llmitm.inspector.replay import Nowhere, Replays
from tests.support.inspected import KeyPolicy, add_attempt, book, call_flow, end
from tests.support.origin import until


class Lifecycle:
    """Takes what it is given, and waits to be let go."""

    def __init__(self) -> None:
        self.flows: list[http.HTTPFlow] = []
        self.done = asyncio.Event()

    async def run(self, flow: http.HTTPFlow, reply: Any, intake: Any) -> None:
        self.flows.append(flow)
        assert await intake.read() is None
        await self.done.wait()


def ended(diary: Book) -> tuple[http.HTTPFlow, http.HTTPFlow]:
    """The flows of a call that is over, and of its attempt, in the view."""
    flow, call = call_flow()
    diary.open(flow)
    add_attempt(diary, flow, call)
    end(flow, call)
    diary.close(flow)
    diary.refresh()
    first, second = diary.view
    return first, second


async def test_a_new_call_of_the_same_key() -> None:
    """It has the request as it is shown, and the digest of the key in place of the key."""
    diary, _ = book()
    shown, _ = ended(diary)
    shown.request.text = '{"model": "other"}'
    lifecycle = Lifecycle()
    replays = Replays(diary, lifecycle)  # type: ignore[arg-type]
    replays.start([shown])
    await asyncio.sleep(0)
    (new,) = lifecycle.flows
    assert new.id != shown.id
    assert (new.is_replay, new.request.text) == ("request", '{"model": "other"}')
    call = call_of(new)
    assert call.key_digest == KeyPolicy.digest
    assert (call.dialect, call.operation, call.client) == ("openai", "chat", "10.0.0.9")
    assert replays.count() == 1
    lifecycle.done.set()
    await until(lambda: replays.count() == 0)


async def test_replays_are_broken_off_at_the_end() -> None:
    """Nobody waits for their answers."""
    diary, _ = book()
    shown, _ = ended(diary)
    replays = Replays(diary, Lifecycle())  # type: ignore[arg-type]
    replays.start([shown])
    await asyncio.sleep(0)
    replays.stop()
    await until(lambda: replays.count() == 0)


async def refused(diary: Book, flow: mitm_flow.Flow) -> str | None:
    lifecycle = Lifecycle()
    replays = Replays(diary, lifecycle)  # type: ignore[arg-type]
    replays.start([flow])
    await asyncio.sleep(0)
    assert lifecycle.flows == []
    return replays.problem(flow)


async def test_what_can_not_be_sent_again() -> None:
    """Attempts, running calls, WebSockets, cut bodies, and calls that are no longer kept."""
    diary, _ = book(body_cap=80)
    shown, attempt = ended(diary)
    assert "only calls" in str(await refused(diary, attempt))
    assert "only calls" in str(await refused(diary, call_flow()[0]))
    running = diary.open(call_flow()[0])
    diary.show(running)
    assert "still running" in str(await refused(diary, running.flows[0]))
    shown.request.raw_content = b"x" * 80
    assert "body_cap" in str(await refused(diary, shown))
    shown.websocket = WebSocketData()
    assert "WebSocket" in str(await refused(diary, shown))
    shown.websocket = None
    diary.view.remove([shown])
    assert "no longer has" in str(await refused(diary, shown))


async def test_nowhere() -> None:
    """The connection of a repeated call takes everything."""
    nowhere = Nowhere()
    nowhere.send(b"x")
    await nowhere.drain()
    nowhere.abort()
    assert not nowhere.reusable
