"""A streamed answer on its way: events in the client's dialect, and what they used."""

from __future__ import annotations

import asyncio
import time

from llmitm import dialects
from llmitm.call import Attempt, Usage
from llmitm.dialects.events import Event
from llmitm.engine.failure import AttemptFailed, failed, refused_in_stream
from llmitm.engine.terms import Terms
from llmitm.engine.upstream import Answer, UpstreamError
from llmitm.policy.outcome import Failure


class EventStream:
    """Reads a target's stream.

    The tap reads the provider's own dialect, for usage and the end mark. Where the client speaks
    another one, the translated bytes are read again for what is delivered.
    """

    def __init__(self, answer: Answer, terms: Terms, attempt: Attempt) -> None:
        self._answer = answer
        self._terms = terms
        self._attempt = attempt
        self._held: list[Event] = []
        self._broken: AttemptFailed | None = None
        self._deadline = time.monotonic() + terms.timeouts.total
        self.at_end = False
        self.tap = dialects.reader_for(*terms.tap)
        self.reader = self.tap
        self._translate = None
        if terms.translation is not None:
            self._translate = terms.translation.stream(terms.call.model or attempt.model)
            self.reader = dialects.reader_for(terms.call.dialect, terms.call.operation)

    @property
    def complete(self) -> bool:
        """Whether the provider's end mark has come: the answer is whole."""
        return self.tap.complete

    @property
    def usage(self) -> Usage | None:
        return self.tap.usage

    @property
    def text(self) -> str:
        return self.reader.text

    async def until_content(self) -> None:
        """Read and hold events until the first content token, an end, or the bound.

        Raises AttemptFailed for a stream that fails before it.
        """
        size = 0
        while not self.at_end:
            events = await self._read()
            content = False
            for event in events:
                if event.error is not None:
                    raise refused_in_stream(self._attempt, event.raw, event.error)
                if event.malformed:
                    continue
                self._held.append(event)
                size += len(event.raw)
                content = content or event.content
            if content:
                self._attempt.first_token = time.monotonic()
            if content or self.complete:
                self._open()
                return
            if self._held_enough(size):
                return
        if not self.complete:
            raise failed(
                self._attempt, Failure.STREAM_CUT, "the stream ended before its first token"
            )

    def _open(self) -> None:
        """Begin a stream as its dialect does, where the provider did not."""
        if not self.reader.opened:
            self._held.insert(0, dialects.opening(self._terms.call.model or self._attempt.model))

    def _held_enough(self, size: int) -> bool:
        """Whether the client has to get the beginning, content or not."""
        hold = self._terms.hold
        waited = time.monotonic() - self._attempt.started
        return size > hold.bytes or (hold.seconds is not None and waited > hold.seconds)

    async def next(self) -> list[Event]:
        """The next events, none once the stream has ended.

        Raises AttemptFailed where it breaks off, stalls or ends without its end mark.
        """
        if self._held:
            held, self._held = self._held, []
            return held
        if self._broken is not None:
            raise self._broken
        between = self._terms.timeouts.between_tokens
        failure, message = Failure.BETWEEN_TOKENS_TIMEOUT, f"no token for {between:g} s"
        left = self._deadline - time.monotonic()
        if left < between:
            between, failure, message = left, Failure.TOTAL_TIMEOUT, "the answer took too long"
        try:
            while not self.at_end:
                async with asyncio.timeout(between):
                    events = await self._read()
                if events:
                    return self._sound(events)
            if self.complete:
                return []
            failure, message = Failure.STREAM_CUT, "the stream ended without its end mark"
        except TimeoutError:
            pass
        except UpstreamError as fault:
            if self.complete:
                self.at_end = True
                return []
            failure, message = fault.failure, str(fault)
        raise failed(self._attempt, failure, message, committed=True)

    def _sound(self, events: list[Event]) -> list[Event]:
        """The events before an in-band error; the error itself ends the next read."""
        for position, event in enumerate(events):
            if event.error is not None:
                self._broken = refused_in_stream(
                    self._attempt, event.raw, event.error, committed=True
                )
                if not position:
                    raise self._broken
                return events[:position]
        return events

    async def _read(self) -> list[Event]:
        chunk = await self._answer.chunk()
        if not chunk:
            self.at_end = True
        if self._translate is None:
            return self.tap.feed(chunk) if chunk else self.tap.end()
        if chunk:
            self.tap.feed(chunk)
            return self.reader.feed(self._translate.feed(chunk))
        self.tap.end()
        return [*self.reader.feed(self._translate.end()), *self.reader.end()]
