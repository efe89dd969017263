"""Sending a call again: through the whole pipeline, as the key that made it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from mitmproxy import flow as mitm_flow
from mitmproxy import http

from llmitm.engine.flows import attach_call
from llmitm.engine.lifecycle import Lifecycle
from llmitm.engine.reply import Reply
from llmitm.engine.upload import Upload
from llmitm.inspector.book import Book

logger = logging.getLogger(__name__)


class Nowhere:
    """The connection of a call whose answer is only looked at."""

    reusable = False

    def send(self, data: bytes) -> None:
        """Nobody reads it; the inspector watches the call."""

    async def drain(self) -> None:
        """Nobody reads slower than we write."""

    def abort(self) -> None:
        """There is nothing to break."""


class Whole:
    """The body of a request that is already there."""

    async def read(self) -> Upload | None:
        return None


class Replays:
    """Makes calls from flows of the view."""

    def __init__(self, book: Book, lifecycle: Lifecycle) -> None:
        self._book = book
        self._lifecycle = lifecycle
        self._running: set[asyncio.Task[None]] = set()

    def start(self, flows: Sequence[mitm_flow.Flow]) -> None:
        """Send calls again, each as a new one."""
        for flow in flows:
            problem = self.problem(flow)
            if problem is not None or not isinstance(flow, http.HTTPFlow):
                logger.warning("inspector: not sent again: %s", problem)
                continue
            work = self._lifecycle.run(self.again(flow), Reply(Nowhere()), Whole())
            task = asyncio.get_running_loop().create_task(work)
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def count(self) -> int:
        """How many calls are being sent again."""
        return len(self._running)

    def stop(self) -> None:
        """Break off the calls that are being sent again."""
        for task in self._running:
            task.cancel()

    def problem(self, flow: mitm_flow.Flow) -> str | None:
        """Why a flow can't be sent again; None where it can."""
        if not isinstance(flow, http.HTTPFlow) or flow.metadata.get("kind") != "call":
            return "only calls can be; this is an attempt, or no call of this gateway"
        if self._book.running(flow) is not None:
            return "the call is still running"
        if flow.websocket is not None:
            return "a WebSocket session can't be repeated"
        if self._book.origin(flow) is None:
            return "the inspector no longer has the call, so whose key it used is not known"
        body, cap = flow.request.raw_content, self._book.settings.body_cap
        if body is None or len(body) >= cap:
            return "its body is not kept whole: raise inspector.body_cap"
        return None

    def again(self, flow: http.HTTPFlow) -> http.HTTPFlow:
        """A new flow and call like `flow`, authenticated by the digest of the key of that call."""
        origin = self._book.origin(flow)
        new = http.HTTPFlow(flow.client_conn, flow.server_conn, live=True)
        new.request = flow.request.copy()
        new.request.timestamp_start = new.request.timestamp_end = time.time()
        new.is_replay = "request"
        call = attach_call(new, new.request.headers)
        call.key_digest = origin.digest if origin else None
        return new
