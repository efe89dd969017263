"""What the inspector keeps of one call, while it runs and after."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from mitmproxy import http
from mitmproxy.websocket import WebSocketMessage

from llmitm.call import Attempt, Call
from llmitm.inspector.recorder import Recorder


@dataclass(slots=True)
class Try:
    """One attempt of a running call. `shown` is its flow in the view."""

    attempt: Attempt
    wire: Recorder
    shown: http.HTTPFlow | None = None

    @property
    def state(self) -> tuple[object, ...]:
        """Changes whenever there is something new to show."""
        return self.wire.size, self.attempt.status, self.attempt.error, self.attempt.ended


@dataclass(slots=True)
class Entry:
    """One call. `flow` is the gateway's own and is let go when the call is over.

    `shown` is the call's flow in the view, `attempts` those of its attempts. `digest` is the
    SHA-256 of the key that the call was made with, for sending it again. `foreign` is a flow
    that an operator brought, not a call of this gateway.
    """

    shown: http.HTTPFlow
    wire: Recorder
    flow: http.HTTPFlow | None = None
    call: Call | None = None
    digest: str | None = None
    tries: list[Try] = field(default_factory=list)
    attempts: list[http.HTTPFlow] = field(default_factory=list)
    messages: deque[WebSocketMessage] = field(default_factory=deque)
    message_bytes: int = 0
    asked: str | None = None  # the model that the body names, before it was read for routing
    held: bool = False
    foreign: bool = False
    drawn: tuple[object, ...] | None = None

    @property
    def state(self) -> tuple[object, ...]:
        """Changes whenever there is something new to show."""
        answered = self.flow is not None and self.flow.response is not None
        tries = tuple(one.state for one in self.tries)
        return answered, self.held, self.wire.size, self.message_bytes, tries

    @property
    def flows(self) -> list[http.HTTPFlow]:
        """The flows of this call in the view."""
        return [self.shown, *self.attempts]

    @property
    def request_id(self) -> object:
        return self.call.request_id if self.call else self.shown.metadata.get("request_id")

    def keep(self, message: WebSocketMessage) -> None:
        """Keep a WebSocket message, and of the older ones those that fit the cap."""
        self.messages.append(message)
        self.message_bytes += len(message.content)
        while self.message_bytes > self.wire.cap and len(self.messages) > 1:
            self.message_bytes -= len(self.messages.popleft().content)

    def let_go(self) -> None:
        """The call is over: keep what is shown, and nothing of the gateway's."""
        content = self.shown.request.raw_content
        if content is not None and len(content) > self.wire.cap:  # while held it was whole
            self.shown.request.raw_content = content[: self.wire.cap]
        self.flow = self.call = None
        self.tries.clear()
        self.messages.clear()
        self.wire = Recorder(0, 0)
