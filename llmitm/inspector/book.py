"""The calls that the inspector knows: the running ones, and the last ones that ended."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from mitmproxy import flow as mitm_flow
from mitmproxy import http

from llmitm.call import Attempt, call_of
from llmitm.config.schema import Inspector
from llmitm.engine.killing import kill
from llmitm.inspector.draw import draw
from llmitm.inspector.entry import Entry
from llmitm.inspector.recorder import Recorder
from llmitm.inspector.snapshot import Seen, asked
from llmitm.inspector.summary import Scalar
from llmitm.inspector.view import CallView

logger = logging.getLogger(__name__)


@dataclass
class Book:
    """Follows each call from its request to its end, and holds `settings.keep` of them.

    Flows for the UI are made when someone looks: see `refresh`. `explain` says why a call was
    routed as it was; `decide` hears what an operator did to a flow.
    """

    settings: Inspector
    explain: Callable[[Seen], dict[str, Scalar]]
    decide: Callable[[mitm_flow.Flow], None]

    def __post_init__(self) -> None:
        self.view = CallView(self)
        self.entries: OrderedDict[str, Entry] = OrderedDict()
        self._running: dict[str, Entry] = {}
        self._ended: dict[str, Entry] = {}  # that nobody has looked at

    def open(self, flow: http.HTTPFlow) -> Entry:
        """Begin to follow a call, with the request as it is now."""
        call, cap = call_of(flow), self.settings.body_cap
        key = call.principal.policy if call.principal else None
        digest = key.digest if key else None
        entry = Entry(Recorder(cap, call.started), asked(flow, cap), flow, call, digest)
        call.watch = entry.wire
        self.entries[flow.id] = self._running[flow.id] = entry
        self._evict()
        return entry

    def attempt(self, flow: http.HTTPFlow, attempt: Attempt) -> None:
        """An attempt is about to be sent: watch its answer."""
        entry = self._running.get(flow.id)
        if entry is not None:
            wire = Recorder(self.settings.body_cap, attempt.started)
            attempt.watch = wire
            entry.tries.append((attempt, wire))

    def message(self, flow: http.HTTPFlow) -> None:
        """A WebSocket message passed."""
        entry = self._running.get(flow.id)
        if entry is not None and flow.websocket is not None and flow.websocket.messages:
            entry.keep(flow.websocket.messages[-1])

    def close(self, flow: http.HTTPFlow) -> None:
        """A call is over: keep how it ended, and let go of what it held."""
        entry = self._running.get(flow.id)
        if entry is None:
            if call_of(flow).watch is not None:
                return  # so many calls came since that this one was dropped
            entry = self.open(flow)
        entry.let_go()
        self._ended[flow.id] = self._running.pop(flow.id)

    def refresh(self, limit: int | None = None) -> None:
        """Bring the view up to date, or at most `limit` of the calls: the rest next time."""
        changed = [name for name, e in self._running.items() if e.drawn != e.state]
        for name in changed[:limit]:
            entry = self._running[name] = self._running.pop(name)  # the others' turn is next
            self.show(entry)
        for name in list(self._ended)[:limit]:
            self.show(self._ended.pop(name))

    def show(self, entry: Entry) -> None:
        """Bring what is shown of one call up to date."""
        seen = entry.see()
        if seen is None:
            return
        entry.drawn = entry.state
        draw(entry, seen, self.explain(seen), self.settings.expensive_usd)
        for flow in entry.flows:
            self.view.show(flow)

    def running(self, flow: mitm_flow.Flow) -> Entry | None:
        """The running call that a flow of the gateway or of the view belongs to."""
        return self._running.get(flow.id)

    def kill(self, flow: mitm_flow.Flow) -> None:
        """End the running call that a flow in the view shows, itself or by one of its attempts."""
        entry = next((e for e in self._running.values() if flow in e.flows), None)
        if entry is not None and entry.call is not None and kill(entry.call):
            logger.info("inspector: %s killed", entry.request_id)

    def origin(self, flow: mitm_flow.Flow) -> Entry | None:
        """The call that a flow in the view shows or was duplicated from, while it is kept."""
        wanted = flow.metadata.get("request_id")
        if wanted is None:
            return None
        return next((e for e in self.entries.values() if e.request_id == wanted), None)

    # What an operator does in the view.
    def decided(self, flow: mitm_flow.Flow) -> None:
        self.decide(flow)

    def adopted(self, flow: mitm_flow.Flow) -> None:
        if isinstance(flow, http.HTTPFlow) and flow.id not in self.entries:
            flow.live = flow.intercepted = False
            self.entries[flow.id] = Entry(Recorder(0, 0), shown=flow)
            self._evict()

    def removed(self, flow: mitm_flow.Flow) -> None:
        self.decide(flow)
        if flow.id in self.entries and flow.id not in self._running:
            self._forget(flow.id)

    def cleared(self) -> None:
        for name in [name for name in self.entries if name not in self._running]:
            del self.entries[name]
        self._ended.clear()

    def _evict(self) -> None:
        """Drop the oldest calls over the limit; a held one stays, its client waits."""
        while len(self.entries) > self.settings.keep:
            name = next((n for n, e in self.entries.items() if not e.held), None)
            if name is None:
                return
            self._forget(name)

    def _forget(self, name: str) -> None:
        self._running.pop(name, None)
        self._ended.pop(name, None)
        for flow in self.entries.pop(name).flows:
            self.view.drop(flow)
