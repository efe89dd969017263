"""Holding calls: those that match a filter wait for an operator, who may edit, resume or kill."""

from __future__ import annotations

import asyncio
import logging
import time

from mitmproxy import flow as mitm_flow
from mitmproxy import flowfilter, http

from llmitm.call import call_of
from llmitm.config.schema import Inspector
from llmitm.config.secret import MASK
from llmitm.engine.killing import MESSAGE
from llmitm.errors import Cause, GatewayError
from llmitm.inspector.book import Book
from llmitm.inspector.draw import facts, show
from llmitm.inspector.entry import Entry
from llmitm.inspector.masking import mask_path

logger = logging.getLogger(__name__)

TOO_LATE = "No operator let this request pass in time."


class Holds:
    """The calls that wait. `set_filter` says which do; None lets all pass."""

    def __init__(self, settings: Inspector) -> None:
        self._settings = settings
        self._filter: flowfilter.TFilter | None = None
        self._waiting: dict[str, asyncio.Future[bool]] = {}
        self._mirrors: set[asyncio.Task[None]] = set()

    def set_filter(self, expression: str | None) -> None:
        """Raises ValueError for an expression that mitmproxy does not understand."""
        self._filter = flowfilter.parse(expression) if expression else None

    def decide(self, flow: mitm_flow.Flow) -> None:
        """An operator did something to `flow`: whoever waits for it looks again."""
        waiting = self._waiting.get(flow.id)
        if waiting is not None and not flow.intercepted and not waiting.done():
            waiting.set_result(True)

    def release(self) -> None:
        """Decide all that waits as the timeout would."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(False)

    async def pass_or_hold(self, book: Book, entry: Entry, flow: http.HTTPFlow) -> None:
        """Let a call go on, at once or when an operator says so.

        Raises GatewayError for one that an operator, or the lack of one, stopped.
        """
        if self._filter is None or flow.is_replay:
            return
        call = call_of(flow)
        model = (call.body(flow) or {}).get("model")
        entry.model = model if isinstance(model, str) else None
        seen, shown = entry.see(), show(entry)
        shown.metadata = facts(seen) if seen is not None else {}
        if self._filter(shown):
            since = time.monotonic()
            try:
                decided = await self._hold(book, entry, flow, self._settings.hold_timeout)
            finally:
                call.held += time.monotonic() - since
            _go_on(entry, flow, decided=decided)
            book.show(entry)

    def mirror(self, book: Book, entry: Entry, flow: http.HTTPFlow) -> None:
        """Let an operator decide about a call that a script intercepted."""
        if not entry.held:
            task = asyncio.get_running_loop().create_task(self._mirror(book, entry, flow))
            self._mirrors.add(task)
            task.add_done_callback(self._mirrors.discard)

    async def _mirror(self, book: Book, entry: Entry, flow: http.HTTPFlow) -> None:
        script = asyncio.ensure_future(flow.wait_for_resume())
        operator = asyncio.ensure_future(self._hold(book, entry, flow, None))
        try:
            await asyncio.wait({script, operator}, return_when=asyncio.FIRST_COMPLETED)
            if show(entry).error is not None and flow.killable:
                flow.kill()
            elif flow.intercepted:
                apply_edit(show(entry), flow)
                flow.resume()
        finally:
            script.cancel()
            operator.cancel()

    async def _hold(
        self, book: Book, entry: Entry, flow: http.HTTPFlow, seconds: float | None
    ) -> bool:
        """Wait for an operator's decision; False where the timeout decided."""
        shown = show(entry)
        shown.request.raw_content = flow.request.raw_content  # all of it: it may be edited
        decision = asyncio.get_running_loop().create_future()
        self._waiting[shown.id] = decision
        entry.held = shown.live = True
        shown.intercept()
        book.show(entry)
        try:
            await asyncio.wait([decision], timeout=seconds)
            decided = decision.done() and decision.result()
            if not decided and self._settings.hold_then == "kill":
                shown.kill()
            return decided
        finally:
            del self._waiting[shown.id]
            entry.held = shown.live = shown.intercepted = False


def _go_on(entry: Entry, flow: http.HTTPFlow, *, decided: bool) -> None:
    """Carry out what was decided about a held call. Raises GatewayError for a killed one."""
    shown, request_id = show(entry), call_of(flow).request_id
    if shown.error is not None:
        logger.info("inspector: %s killed while held", request_id)
        raise GatewayError(Cause.KILLED, MESSAGE if decided else TOO_LATE)
    edited = apply_edit(shown, flow)
    done = "edited and resumed" if edited else "resumed"
    logger.info(
        "inspector: %s %s by %s", request_id, done, "an operator" if decided else "the timeout"
    )


def apply_edit(shown: http.HTTPFlow, flow: http.HTTPFlow) -> bool:
    """Make the call's request what the operator made of the shown one: its body and headers.

    Method and path stay the client's: what the call is was told from them.
    """
    request, edited = flow.request, shown.request
    hidden = {name.lower(): value for name, value in request.headers.fields}
    mask = MASK.encode()
    fields = tuple(
        (name, hidden.get(name.lower(), value) if value == mask else value)
        for name, value in edited.headers.fields
    )
    changed = fields != request.headers.fields or edited.raw_content != request.raw_content
    request.headers.fields = fields
    if edited.raw_content != request.raw_content:
        request.raw_content = edited.raw_content
    edited.method, edited.path = request.method, mask_path(request.path)
    return changed
