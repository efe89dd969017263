"""Browsers are told what changed, in batches that they can take."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from mitmproxy import flow as mitm_flow
from mitmproxy.log import LogEntry

from llmitm.inspector import live as live_module
from llmitm.inspector.book import Book
from llmitm.inspector.live import FLOWS_PER_TICK, MAX_BEHIND, Live
from tests.support.inspected import book, call_flow, end


class Browser:
    """One that only listens."""

    def __init__(self) -> None:
        self.behind = False
        self.queued = 0
        self.got: list[tuple[str, Any]] = []
        self.told = asyncio.Event()

    def send(self, message: bytes) -> None:
        said = json.loads(message)
        self.got.append((said["type"], said["payload"]))

    def send_flow(self, kind: str, flow: mitm_flow.Flow, fields: dict[str, Any]) -> None:
        self.got.append((kind, fields["id"]))
        self.told.set()

    def reset(self) -> None:
        self.got.append(("flows/reset", None))


@pytest.fixture
def diary() -> Book:
    return book()[0]


def over(diary: Book) -> str:
    flow, call = call_flow()
    diary.open(flow)
    end(flow, call)
    diary.close(flow)
    return flow.id


async def test_idle_without_browsers(diary: Book) -> None:
    """Nobody looks, so nothing is gathered."""
    live = Live(diary)
    over(diary)
    diary.refresh()
    browser = Browser()
    live.browsers.add(browser)
    live.flush()
    assert browser.got == []


async def test_a_call_that_changes_is_sent_once_a_batch(diary: Book) -> None:
    """First as a new one, then as an update."""
    live, browser = Live(diary), Browser()
    live.browsers.add(browser)
    flow, call = call_flow()
    diary.open(flow)
    live.flush()
    end(flow, call)
    diary.close(flow)
    live.flush()
    live.flush()
    assert browser.got == [("flows/add", flow.id), ("flows/update", flow.id)]


async def test_batches_are_bounded(diary: Book) -> None:
    """A burst is spread over several batches; what is gone by then is never sent."""
    live, browser = Live(diary), Browser()
    live.browsers.add(browser)
    calls = [over(diary) for _ in range(FLOWS_PER_TICK + 5)]
    diary.refresh()
    diary.view.remove([diary.view.get_by_id(calls[-1])])
    live.flush()
    assert len(browser.got) == FLOWS_PER_TICK
    live.flush()
    assert [name for _, name in browser.got] == calls[:-1]


async def test_removals_are_told(diary: Book) -> None:
    """What a browser knows and is gone, it hears of."""
    live, browser = Live(diary), Browser()
    live.browsers.add(browser)
    name = over(diary)
    live.flush()
    diary.view.remove([diary.view.get_by_id(name)])
    assert browser.got[-1] == ("flows/remove", name)


async def test_a_browser_that_is_behind_starts_anew(diary: Book) -> None:
    """It gets nothing more until it has read what waits, and then reads all at once."""
    live, browser = Live(diary), Browser()
    live.browsers.add(browser)
    browser.queued = MAX_BEHIND + 1
    live.flush()
    over(diary)
    live.flush()
    live.say("x", None)
    assert browser.got == []
    browser.queued = 0
    live.flush()
    assert browser.got == [("flows/reset", None)]


async def test_ticks_while_a_browser_is_there(diary: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first browser starts the ticking, the last one's leaving ends it."""
    monkeypatch.setattr(live_module, "TICK", 0.001)
    live, browser = Live(diary), Browser()
    live.connected(browser)
    live.connected(browser)
    flow, _ = call_flow()
    diary.open(flow)
    await asyncio.wait_for(browser.told.wait(), 40)
    live.gone(browser)
    ticking = live._ticking
    assert ticking is not None
    await asyncio.wait_for(ticking, 40)
    live.stop()


async def test_events_and_refreshes(diary: Book) -> None:
    """Log records are passed on, and a view that was sorted anew is read anew."""
    live, browser = Live(diary), Browser()
    live.browsers.add(browser)
    live.event(LogEntry("hello", "info"))
    assert browser.got[0][0] == "events/add"
    assert browser.got[0][1]["message"] == "hello"
    diary.view.sig_view_refresh.send()
    assert browser.got[1] == ("flows/reset", None)
