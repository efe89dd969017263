"""What the client has of a stream, and how another target goes on with it.

A target that declares `prefill` is given the delivered text as the start of its answer and
writes on. Any other is asked again from the start, and its text is swallowed for as long as it
repeats what the client has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from mitmproxy import http

from llmitm import tokens
from llmitm.call import Attempt, Call, Target, Usage
from llmitm.dialects.events import Event
from llmitm.dialects.resume import Continuation, Seam, Splice, prefill_request
from llmitm.engine.stream import EventStream
from llmitm.errors import Cause, GatewayError
from llmitm.policy.outcome import AttemptOutcome

_PREFILL_REFUSED = frozenset({400, 422})


class Resumption:
    """One client's stream over all the targets that write it."""

    def __init__(self, call: Call, flow: http.HTTPFlow) -> None:
        self._call = call
        self._flow = flow
        self.continuation = Continuation(call.dialect, call.operation)
        self._delivered: list[str] = []
        self._seam: Seam | Splice | None = None
        self._prefilled: str | None = None
        self._spent = 0  # tokens of the prefill
        self._refused: set[str] = set()
        self._finish: str | None = None

    @property
    def possible(self) -> bool:
        return self.continuation.resumable

    def body(self, target: Target) -> dict[str, Any] | None:
        """The request that has `target` go on, and from here on its events are joined."""
        call = self._call
        body = call.body(self._flow) or {}
        delivered = "".join(self._delivered)
        request = None
        if target.prefill and target.name not in self._refused:
            self._spent = tokens.count_text(delivered, call.model or "")
            request = prefill_request(call.dialect, call.operation, body, delivered, self._spent)
        self._prefilled = target.name if request is not None else None
        self._seam = Splice(delivered) if request is None else Seam(delivered)
        return body if request is None else request

    def prefill_refused(self, target: Target, outcome: AttemptOutcome) -> bool:
        """Whether `target` refused to continue a text, so that it may be asked from the start."""
        if self._prefilled != target.name or outcome.status not in _PREFILL_REFUSED:
            return False
        self._refused.add(target.name)
        return True

    def through(self, events: Iterable[Event], complete: bool) -> bytes:
        """What the client gets for these events. Raises GatewayError where they can't be joined."""
        if self._seam is not None:
            return b"".join(self._join(event, self._seam) for event in events)
        hide = self._call.hide_usage
        out = []
        for event in events:
            # An end mark after a truncated answer would make it look whole.
            if event.malformed or (hide and event.usage_only) or (event.done and not complete):
                continue
            self.continuation.observe(event)
            if event.text:
                self._delivered.append(event.text)
            out.append(event.raw)
        return out[0] if len(out) == 1 else b"".join(out)

    def ending(self, stream: EventStream) -> bytes:
        """What is left to say once a stream has ended well."""
        if self._seam is None:
            self._call.usage = stream.usage
            return b""
        if isinstance(self._seam, Splice) and not self._seam.matched:
            raise _diverged()
        self._call.usage = self._sum(stream.usage)
        options = (self._call.body(self._flow) or {}).get("stream_options")
        wanted = isinstance(options, dict) and options.get("include_usage") is True
        return self.continuation.finish(self._finish, self._call.usage, want_usage=wanted)

    def account(self, attempt: Attempt, stream: EventStream) -> None:
        """Keep what an attempt used and wrote, for whoever settles the call."""
        attempt.usage = stream.usage
        attempt.produced = stream.text
        self._call.delivered = "".join(self._delivered)

    def _join(self, event: Event, seam: Seam | Splice) -> bytes:
        if event.opaque or event.tool:
            raise _diverged()
        self._finish = event.finish or self._finish
        new = seam.feed(event.text) if event.text else None
        if isinstance(seam, Splice) and seam.diverged:
            raise _diverged()
        if new is None:
            return b""
        self._delivered.append(new)
        return self.continuation.text(new)

    def _sum(self, last: Usage | None) -> Usage | None:
        """Usage of the answer as delivered: a prefill's own tokens are output, not prompt."""
        if last is None or self._prefilled is None:
            return last
        return replace(
            last,
            prompt_tokens=max(0, last.prompt_tokens - self._spent),
            completion_tokens=last.completion_tokens + self._spent,
            estimated=True,
        )


def _diverged() -> GatewayError:
    return GatewayError(
        Cause.STREAM_CUT, "The answer broke off, and another provider could not continue it."
    )
