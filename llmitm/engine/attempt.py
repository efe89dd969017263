"""One attempt: a request to one target, up to the point where its answer may be delivered.

A whole answer is ready when its body is there and makes sense; a stream is ready (committed) at
its first content token. Until then a failure raises `AttemptFailed` and nothing has reached the
client.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec

from llmitm import dialects
from llmitm.call import Attempt
from llmitm.config.schema import Timeouts
from llmitm.engine.failure import failed, no_answer, refused
from llmitm.engine.stream import EventStream
from llmitm.engine.terms import Terms
from llmitm.engine.upstream import Answer, Upstream, UpstreamError
from llmitm.errors import GatewayError
from llmitm.policy.outcome import Failure

# A whole answer says nothing until it is complete, so it may take longer than a first token.
WHOLE_ANSWER_FACTOR = 3
MAX_WHOLE_BODY = 64 << 20
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
STREAM_TYPES = frozenset({"text/event-stream", "application/x-ndjson"})

Body = bytes | AsyncIterator[bytes] | None


@dataclass(slots=True)
class Ready:
    """An answer that may be delivered: whole (`body`), a stream of events, or raw bytes."""

    attempt: Attempt
    answer: Answer
    terms: Terms
    body: bytes | None = None
    stream: EventStream | None = None

    async def chunk(self) -> bytes:
        """The next raw bytes; only where there is neither `body` nor `stream`."""
        try:
            async with asyncio.timeout(self.terms.timeouts.between_tokens):
                return await self.answer.chunk()
        except TimeoutError:
            stalled = Failure.BETWEEN_TOKENS_TIMEOUT
            raise failed(self.attempt, stalled, "the answer stalled", committed=True) from None
        except UpstreamError as fault:
            raise failed(self.attempt, fault.failure, str(fault), committed=True) from fault

    def close(self) -> None:
        self.answer.close()


async def begin(upstream: Upstream, attempt: Attempt, terms: Terms, body: Body) -> Ready:
    """Send the attempt and wait until its answer may be delivered.

    Raises AttemptFailed. Whoever gets the Ready closes it.
    """
    timeouts = terms.timeouts
    loop = asyncio.get_running_loop()
    started = loop.time()
    wait = first_byte_timeout(timeouts, terms.call.stream)
    failure = Failure.FIRST_BYTE_TIMEOUT
    answer: Answer | None = None
    try:
        async with asyncio.timeout(min(timeouts.connect + wait, timeouts.total)) as clock:
            patience = _Patience(clock, timeouts.connect + wait)
            if body is not None and not isinstance(body, bytes):
                body = patience.with_each(body)
            answer = await upstream.send(
                attempt.method, attempt.url, attempt.headers, body, timeouts.connect
            )
            patience.over = True
            attempt.status = answer.status
            if attempt.watch is not None:
                attempt.watch.begin(answer.status, answer.raw_headers)
                answer.watch = attempt.watch
            if answer.status >= 400:
                raise await refused(attempt, answer, terms)
            redirects = 300 <= answer.status < 400
            if not redirects and _is_stream(answer, terms):
                terms.call.stream = True  # as the provider understood it
                failure, wait = Failure.FIRST_TOKEN_TIMEOUT, timeouts.first_token
                clock.reschedule(started + min(timeouts.connect + wait, timeouts.total))
                stream = EventStream(answer, terms, attempt)
                await stream.until_content()
                return Ready(attempt, answer, terms, stream=stream)
            if redirects and attempt.method not in SAFE:
                # Where it leads, our credential and the client's prompt were not meant to go.
                raise failed(attempt, Failure.MALFORMED, "the provider redirects: see its base_url")
            bodiless = attempt.method == "HEAD" or redirects
            if bodiless or not (terms.reads_json or (_is_json(answer) and answer.status != 204)):
                attempt.first_token = time.monotonic()
                return Ready(attempt, answer, terms)
            failure, wait = Failure.TOTAL_TIMEOUT, timeouts.total
            clock.reschedule(started + wait)
            return Ready(attempt, answer, terms, body=await _whole(attempt, answer, terms))
    except TimeoutError:
        _close(answer)
        raise failed(
            attempt, failure, f"{failure.value.replace('_', ' ')} after {wait:g} s"
        ) from None
    except UpstreamError as fault:
        _close(answer)
        raise failed(attempt, fault.failure, str(fault)) from fault
    except BaseException:
        _close(answer)
        raise


@dataclass(slots=True)
class _Patience:
    """A target's time to answer, which for an upload begins when the last part of it was sent."""

    clock: asyncio.Timeout
    seconds: float
    over: bool = False

    async def with_each(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for part in body:
            self._begin_anew()
            yield part
        self._begin_anew()

    def _begin_anew(self) -> None:
        if not self.over and not self.clock.expired():
            self.clock.reschedule(asyncio.get_running_loop().time() + self.seconds)


def first_byte_timeout(timeouts: Timeouts, stream: bool) -> float:
    """Seconds that a target may be silent: for a whole answer, longer than for a first token."""
    if timeouts.first_byte is not None:
        return timeouts.first_byte
    factor = 1 if stream else WHOLE_ANSWER_FACTOR
    return min(timeouts.first_token * factor, timeouts.total)


def _is_stream(answer: Answer, terms: Terms) -> bool:
    """Whether to read events: some providers don't call them so, and a page has none."""
    if answer.content_type in STREAM_TYPES:
        return terms.may_stream
    return terms.needs_stream and not _is_json(answer)


def _is_json(answer: Answer) -> bool:
    """Whether the answer is one JSON value. Lines of them are none: a download's progress."""
    return answer.content_type.endswith("json") and answer.content_type not in STREAM_TYPES


async def _whole(attempt: Attempt, answer: Answer, terms: Terms) -> bytes:
    body = await answer.read(MAX_WHOLE_BODY)
    try:
        parsed = msgspec.json.decode(body)
        if terms.call.check is None and not dialects.is_answer(*terms.tap, parsed):
            raise no_answer(attempt, body, parsed, terms)
        if isinstance(parsed, dict):
            attempt.usage = dialects.usage_of(*terms.tap, parsed)
            if attempt.usage is None:
                attempt.produced = dialects.output_of(*terms.tap, parsed)
        if terms.translation is not None:
            parsed = terms.translation.response(parsed, terms.call.model or attempt.model)
            body = msgspec.json.encode(parsed)
    except (ValueError, RecursionError, GatewayError) as fault:
        failure = Failure.MALFORMED if body else Failure.EMPTY
        raise failed(attempt, failure, "the answer makes no sense") from fault
    if terms.needs_stream:
        raise failed(attempt, Failure.MALFORMED, "the answer is no stream, which was asked for")
    unfit = terms.call.check(parsed) if terms.call.check is not None else None
    if unfit is not None:
        raise failed(attempt, Failure.UNFIT, unfit)
    return body


def _close(answer: Answer | None) -> None:
    if answer is not None:
        answer.close()
