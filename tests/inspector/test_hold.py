"""Calls that match a filter wait for an operator."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from mitmproxy import http

from llmitm.engine.killing import MESSAGE
from llmitm.errors import Cause, GatewayError
from llmitm.inspector.book import Book
from llmitm.inspector.draw import show
from llmitm.inspector.hold import TOO_LATE, Holds, apply_edit
from llmitm.inspector.shown import call_flow as shown_flow
from llmitm.inspector.snapshot import asked
from tests.support.inspected import book as make_book
from tests.support.inspected import call_flow, end
from tests.support.origin import until

NEW = json.dumps({"model": "gpt-4o", "messages": []}).encode()


async def hold(diary: Book, holds: Holds, flow: http.HTTPFlow) -> tuple[asyncio.Task[None], Any]:
    """A call that has got as far as the filter, and its flow in the view."""
    entry = diary.open(flow)
    task = asyncio.ensure_future(holds.pass_or_hold(diary, entry, flow))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task, show(entry)


PASSING = [None, "~b nothing-like-it", "~meta 'key: other'", "~s"]
HOLDING = ["~b gateway", "~meta 'key: dev'", "~meta 'model: gpt-4o'", "~u chat"]


@pytest.mark.parametrize("expression", PASSING)
async def test_what_does_not_match_passes(expression: str | None) -> None:
    """Without a filter, and where it doesn't match, nothing waits."""
    diary, holds = make_book(hold=expression)
    task, _ = await hold(diary, holds, call_flow()[0])
    assert task.done() and task.exception() is None


@pytest.mark.parametrize("expression", HOLDING)
async def test_what_matches_waits_until_it_is_resumed(expression: str) -> None:
    """It shows as intercepted, and the time it waited is not the gateway's."""
    diary, holds = make_book(hold=expression)
    flow, call = call_flow()
    task, shown = await hold(diary, holds, flow)
    assert not task.done()
    assert shown.intercepted and shown.killable
    assert shown.comment.startswith("held for an operator · gpt-4o")
    shown.resume()
    diary.view.update([shown])
    await task
    assert call.held > 0
    assert not shown.intercepted and not shown.live


async def test_edits_reach_the_call() -> None:
    """The edited body is the call's, so what reads it parses it anew."""
    diary, holds = make_book(hold="~q")
    flow, call = call_flow(headers={"x-a": "1", "cookie": "c=1"})
    assert call.body(flow) != {"model": "gpt-4o", "messages": []}
    task, shown = await hold(diary, holds, flow)
    shown.request.raw_content = NEW
    shown.request.headers["x-a"] = "2"
    diary.view.update([shown])  # an edit alone decides nothing
    shown.resume()
    diary.view.update([shown])
    await task
    assert call.body(flow) == {"model": "gpt-4o", "messages": []}
    assert (flow.request.headers["x-a"], flow.request.headers["cookie"]) == ("2", "c=1")


async def test_a_long_prompt_is_edited_whole() -> None:
    """While a call is held all of its body is shown, not what is kept later."""
    diary, holds = make_book(hold="~q", body_cap=20)
    flow, call = call_flow()
    task, shown = await hold(diary, holds, flow)
    assert shown.request.raw_content == flow.request.raw_content
    shown.resume()
    diary.view.update([shown])
    await task
    end(flow, call)
    diary.close(flow)
    assert len(shown.request.raw_content) == 20


@pytest.mark.parametrize("how", ["kill", "delete"])
async def test_killed(how: str) -> None:
    """A killed or deleted call is refused."""
    diary, holds = make_book(hold="~q")
    task, shown = await hold(diary, holds, call_flow()[0])
    if how == "kill":
        shown.kill()
        diary.view.update([shown])
    else:
        diary.view.remove([shown])
    with pytest.raises(GatewayError) as refused:
        await task
    assert (refused.value.cause, refused.value.message) == (Cause.KILLED, MESSAGE)


@pytest.mark.parametrize("by", ["timeout", "shutdown"])
async def test_nobody_decides(by: str) -> None:
    """After the timeout, or when the gateway stops, `hold_then` decides."""
    seconds = 0.01 if by == "timeout" else 60
    diary, holds = make_book(hold="~q", hold_timeout=seconds)
    task, shown = await hold(diary, holds, call_flow()[0])
    holds.release() if by == "shutdown" else None
    await task
    assert not shown.intercepted and shown.error is None
    diary, holds = make_book(hold="~q", hold_timeout=seconds, hold_then="kill")
    task, shown = await hold(diary, holds, call_flow()[0])
    holds.release() if by == "shutdown" else None
    with pytest.raises(GatewayError, match="killed") as refused:
        await task
    assert refused.value.message == TOO_LATE


async def test_a_client_that_leaves_is_not_waited_for() -> None:
    """Its call ends, and no longer shows as intercepted."""
    diary, holds = make_book(hold="~q")
    task, shown = await hold(diary, holds, call_flow()[0])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not shown.intercepted
    holds.decide(shown)


async def test_replays_pass() -> None:
    """Who sends a call again has seen it."""
    diary, holds = make_book(hold="~q")
    flow, _ = call_flow()
    flow.is_replay = "request"
    task, _ = await hold(diary, holds, flow)
    assert task.done()


@pytest.mark.parametrize("decision", ["resume", "kill"])
async def test_what_a_script_intercepts_an_operator_decides(decision: str) -> None:
    """A user's addon calls `flow.intercept()`; the page edits, resumes or kills it."""
    diary, holds = make_book()
    flow, _ = call_flow()
    entry = diary.open(flow)
    flow.intercept()
    holds.mirror(diary, entry, flow)
    await until(lambda: show(entry).intercepted)
    show(entry).request.raw_content = NEW
    getattr(show(entry), decision)()
    diary.view.update([show(entry)])
    await until(lambda: not flow.intercepted)
    assert (flow.error is not None) == (decision == "kill")
    assert (flow.request.raw_content == NEW) == (decision == "resume")


async def test_a_script_that_resumes_by_itself() -> None:
    """Then the page shows it as going on."""
    diary, holds = make_book()
    flow, _ = call_flow()
    entry = diary.open(flow)
    flow.intercept()
    holds.mirror(diary, entry, flow)
    await until(lambda: show(entry).intercepted)
    flow.resume()
    await until(lambda: not show(entry).intercepted)


def test_method_and_path_stay() -> None:
    """What the call is was told from them already."""
    flow, _ = call_flow()
    shown = shown_flow(asked(flow, 1000))
    shown.request.path, shown.request.method = "/v1/embeddings", "PUT"
    assert not apply_edit(shown, flow)
    assert (shown.request.path, shown.request.method) == ("/v1/chat/completions", "POST")
