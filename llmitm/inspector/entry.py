"""What the inspector keeps of one call, while it runs and after."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

from mitmproxy import http
from mitmproxy.websocket import WebSocketMessage

from llmitm.call import Attempt, Call
from llmitm.inspector.recorder import Recorder
from llmitm.inspector.snapshot import Asked, Seen, answered, sent


@dataclass(slots=True)
class Entry:
    """One call. `flow` and `call` are the gateway's own and are let go when the call is over.

    `shown` is the call's flow in the view and `attempts` those of its attempts, once someone
    looked. `digest` is the SHA-256 of the key that the call was made with, for sending it again.
    A flow that an operator brought has neither `asked` nor `seen`.
    """

    wire: Recorder
    asked: Asked | None = None
    flow: http.HTTPFlow | None = None
    call: Call | None = None
    digest: str | None = None
    tries: list[tuple[Attempt, Recorder]] = field(default_factory=list)
    messages: deque[WebSocketMessage] = field(default_factory=deque)
    message_bytes: int = 0
    held: bool = False
    model: str | None = None  # the model that the body names, before it was read for routing
    seen: Seen | None = None  # how the call ended
    shown: http.HTTPFlow | None = None
    attempts: list[http.HTTPFlow] = field(default_factory=list)
    drawn: tuple[object, ...] | None = None

    @property
    def state(self) -> tuple[object, ...]:
        """Changes whenever a running call has something new to show."""
        begun = self.flow is not None and self.flow.response is not None
        tries = tuple((w.size, a.status, a.error, a.ended) for a, w in self.tries)
        return begun, self.held, self.wire.size, self.message_bytes, tries

    @property
    def flows(self) -> list[http.HTTPFlow]:
        """The flows of this call in the view."""
        return [self.shown, *self.attempts] if self.shown is not None else []

    @property
    def request_id(self) -> str | None:
        """The call's id; None for a flow that an operator brought."""
        if self.seen is not None:
            return self.seen.record.request_id
        return self.call.request_id if self.call is not None else None

    def keep(self, message: WebSocketMessage) -> None:
        """Keep a WebSocket message, and of the older ones those that fit the cap."""
        self.messages.append(message)
        self.message_bytes += len(message.content)
        while self.message_bytes > self.wire.cap and len(self.messages) > 1:
            self.message_bytes -= len(self.messages.popleft().content)

    def see(self) -> Seen | None:
        """The call as it stands, or as it ended."""
        call, flow = self.call, self.flow
        if call is None or flow is None:
            return self.seen
        return Seen(
            record=call.record or call.freeze(),
            over=call.record is not None,
            endpoint=self._endpoint(call),
            plan=call.plan,
            held=self.held,
            asked_model=self.model,
            answered=answered(flow, self.wire),
            # A breaker may have refused an attempt that was about to be sent.
            sent=tuple(sent(call, a, w) for a, w in self.tries if a in call.attempts),
            wire=self.wire,
            messages=tuple(self.messages),
            ended=call.ts + (call.ended or time.monotonic()) - call.started,
            error=flow.error.msg if flow.error is not None else None,
            comment=flow.comment,
            marked=flow.marked,
            noted=dict(flow.metadata) if flow.metadata else {},
        )

    def _endpoint(self, call: Call) -> str | None:
        served = self.asked.path.partition("?")[0] if self.asked is not None else ""
        return None if served.endswith(call.path) else call.path

    def let_go(self) -> None:
        """The call is over: keep how it ended, and nothing else of the gateway's."""
        self.seen = self.see()
        if self.shown is not None and self.shown.request.raw_content:  # while held it was whole
            cut = self.shown.request.raw_content[: self.wire.cap]
            self.shown.request.raw_content = cut
        self.flow = self.call = None
        self.tries.clear()
        self.messages.clear()
