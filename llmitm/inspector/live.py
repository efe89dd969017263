"""Tells open browsers what changed, in batches, and never more than they can take."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from mitmproxy import flow as mitm_flow
from mitmproxy import log
from mitmproxy.tools.web import app

from llmitm.inspector.book import Book

TICK = 0.15  # seconds between two batches
CALLS_PER_TICK, FLOWS_PER_TICK = 25, 60  # of one batch: a tenth of that time on one core
MAX_BEHIND = 2000  # messages that a browser may be behind before it has to read all anew


class Browser(Protocol):
    """One connection of a browser."""

    behind: bool

    @property
    def queued(self) -> int: ...

    def send(self, message: bytes) -> None: ...

    def send_flow(self, kind: str, flow: mitm_flow.Flow, fields: dict[str, Any]) -> None: ...

    def reset(self) -> None: ...


class Live:
    """Follows a view for the browsers that are connected; idle while there are none."""

    def __init__(self, book: Book) -> None:
        self.browsers: set[Browser] = set()
        self._book = book
        self._pending: dict[str, str] = {}
        self._ticking: asyncio.Task[None] | None = None
        view = book.view
        view.sig_view_add.connect(self._added)
        view.sig_view_update.connect(self._updated)
        view.sig_view_remove.connect(self._removed)
        view.sig_view_refresh.connect(self._refreshed)

    def connected(self, browser: Browser) -> None:
        self.browsers.add(browser)
        if self._ticking is None or self._ticking.done():
            self._ticking = asyncio.get_running_loop().create_task(self._tick())

    def gone(self, browser: Browser) -> None:
        self.browsers.discard(browser)

    def stop(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()

    def say(self, kind: str, payload: object) -> None:
        """Send a message to every browser."""
        data = app.WebSocketEventBroadcaster._json_dumps({"type": kind, "payload": payload})
        for browser in self.browsers:
            if not browser.behind:
                browser.send(data)

    def event(self, entry: log.LogEntry) -> None:
        self.say("events/add", app.logentry_to_json(entry))

    def flush(self) -> None:
        """Send what changed since the last time, or a part of it."""
        self._book.refresh(CALLS_PER_TICK)
        for flow_id in list(self._pending)[:FLOWS_PER_TICK]:
            kind = self._pending.pop(flow_id)
            flow = self._book.view.get_by_id(flow_id)
            if flow is not None:
                fields = app.flow_to_json(flow)
                for browser in self.browsers:
                    if not browser.behind:
                        browser.send_flow(kind, flow, fields)
        for browser in self.browsers:
            self._keep_up(browser)

    async def _tick(self) -> None:
        while self.browsers:
            self.flush()
            await asyncio.sleep(TICK)
        self._pending.clear()

    def _keep_up(self, browser: Browser) -> None:
        if browser.queued > MAX_BEHIND:
            browser.behind = True
        elif browser.behind and not browser.queued:
            browser.behind = False
            browser.reset()

    def _added(self, flow: mitm_flow.Flow) -> None:
        if self.browsers:
            self._pending[flow.id] = "flows/add"

    def _updated(self, flow: mitm_flow.Flow) -> None:
        if self.browsers:
            self._pending.setdefault(flow.id, "flows/update")

    def _removed(self, flow: mitm_flow.Flow, index: int) -> None:
        if self.browsers and self._pending.pop(flow.id, None) != "flows/add":
            self.say("flows/remove", flow.id)

    def _refreshed(self) -> None:
        self._pending.clear()
        for browser in self.browsers:
            browser.reset()
