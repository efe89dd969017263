"""Hands answers, refusals and broken streams to the client, in its own dialect."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

from mitmproxy import flow as mitm_flow
from mitmproxy import http

from llmitm import dialects
from llmitm.call import Attempt, Call, call_of
from llmitm.config.providers import hidden
from llmitm.dialects.resume import Continuation
from llmitm.engine import messages
from llmitm.engine.attempt import STREAM_TYPES, Ready
from llmitm.engine.failure import AttemptFailed, Refusal
from llmitm.engine.hooks import HookTable
from llmitm.engine.reply import HOP_BY_HOP, Header, Reply, hop_by_hop, local
from llmitm.errors import Cause, GatewayError, render

logger = logging.getLogger(__name__)

# Of a provider's headers these are not the client's: framing, cookies, and what tells whose
# account and which limits the gateway calls with.
_KEPT_BACK = HOP_BY_HOP | {
    b"alt-svc",
    b"anthropic-organization-id",
    b"content-encoding",
    b"content-length",
    b"openai-organization",
    b"openai-project",
    b"request-id",
    b"retry-after",
    b"server",
    b"set-cookie",
    b"strict-transport-security",
    b"via",
    b"x-request-id",
}
_KEPT_BACK_PREFIXES = (b"x-ratelimit-", b"anthropic-ratelimit-", b"cf-")


async def report(hooks: HookTable, flow: http.HTTPFlow, attempt: Attempt) -> None:
    """An attempt is over: say so, once."""
    attempt.ended = time.monotonic()
    await hooks.observe("upstream_response", flow, attempt)


class Delivery:
    """The client's side of one call."""

    def __init__(
        self,
        hooks: HookTable,
        flow: http.HTTPFlow,
        reply: Reply,
        settle: Callable[[http.HTTPFlow], Awaitable[None]],
    ) -> None:
        self.reply = reply
        self._hooks = hooks
        self._flow = flow
        self._settle = settle
        self.call: Call = call_of(flow)
        self.continuation: Continuation | None = None  # of the stream that the client has begun

    async def refuse(self, error: GatewayError) -> None:
        """Tell the client why its call is not answered; in-band where the reply has begun."""
        call = self.call
        call.error = error
        if self.reply.started:
            await self.break_off(error)
            return
        status, headers, body = render(error, call.dialect, call.request_id)
        call.status = status
        fields = [(k.encode(), v.encode("utf-8", "replace")) for k, v in headers.items()]
        self._flow.response = messages.response(status, fields, body)
        await self._hooks.observe("response", self._flow)
        await self._settle(self._flow)
        await self.reply.whole(status, self._headers(), self._flow.response.raw_content or b"")

    async def own_response(self) -> None:
        """Send a response that an addon set instead of asking a provider."""
        if self.call.from_cache is not None:
            await self._again()
            return
        await self._settle(self._flow)
        await self._respond()

    async def _again(self) -> None:
        """Send a kept answer, past the addons as if it had just come: whole or as a stream."""
        response = self._flow.response
        if response is None or not response.stream:
            await self._show_whole()
            return
        body, response.raw_content = response.raw_content or b"", b""
        await self._hooks.decide("responseheaders", self._flow)
        self.call.status = response.status_code
        await self._settle(self._flow)
        self.call.first_token = time.monotonic()
        await self.reply.start(response.status_code, self._headers())
        await self._write(self._through(body))
        await self.close()

    async def provider_refusal(self, failure: AttemptFailed) -> None:
        """Pass on a provider's own 4xx: it is about the client's request."""
        call, refusal = self.call, failure.refusal
        error = GatewayError(Cause.UPSTREAM_REFUSED, str(failure))
        if not isinstance(refusal, Refusal) or self.reply.started:
            await self.refuse(refusal if isinstance(refusal, GatewayError) else error)
            return
        # llama.cpp says 500 to a prompt that is too long; to the client it is a 400.
        status = refusal.status if refusal.status < 500 else 400
        call.error, call.status = error, status
        fields = [(b"content-type", b"application/json"), (b"x-should-retry", b"false")]
        self._flow.response = messages.response(status, fields, refusal.body)
        await self._settle(self._flow)
        await self._respond()

    async def whole(self, ready: Ready) -> None:
        """Send an answer that is complete."""
        call, attempt = self.call, ready.attempt
        self._flow.response = response = messages.response(
            ready.answer.status, self._passed_on(ready), ready.body or b""
        )
        self._record(response)
        call.first_token = call.first_token or attempt.first_token
        await self._show_whole()

    async def _show_whole(self) -> None:
        """Send the flow's response, which is a complete answer."""
        await self._hooks.decide("responseheaders", self._flow)
        response = self._flow.response
        if response is None:
            raise RuntimeError("an addon took the response away")
        if callable(response.stream):
            body = response.raw_content or b""
            response.raw_content = self._through(body) + self._through(b"")
        self.call.status = response.status_code
        await self._settle(self._flow)  # so that whoever reads the answer can read its cost
        await self._respond()

    def _record(self, response: http.Response) -> None:
        """Tell who records an answer how it begins, and all of it where it is whole."""
        if self.call.recording is not None:
            self.call.recording.begin(response)
            self.call.recording.data(response.raw_content or b"")

    async def _respond(self) -> None:
        """Show the flow's response to the addons, and send what they leave."""
        await self._hooks.decide("response", self._flow)
        response = self._flow.response
        if response is None:
            raise RuntimeError("an addon took the response away")
        self.call.status = response.status_code
        await self.reply.whole(response.status_code, self._headers(), response.raw_content or b"")

    async def raw(self, ready: Ready) -> None:
        """Pass bytes on as they come: files, audio, and whatever isn't JSON or an event stream."""
        await self.open(ready)
        while chunk := await ready.chunk():
            await self.send(chunk)
        await self.close()

    async def open(self, ready: Ready) -> None:
        """Begin a streamed reply, or go on with the one that a failed target began."""
        call = self.call
        call.first_token = call.first_token or ready.attempt.first_token
        if self._flow.response is not None:
            return
        self._flow.response = response = messages.response(
            ready.answer.status, self._passed_on(ready), b""
        )
        if ready.terms.translation is not None:
            response.headers["content-type"] = ready.terms.translation.media_type
        response.stream = True
        self._record(response)
        await self._hooks.decide("responseheaders", self._flow)
        call.status = response.status_code
        if not self.reply.started:
            await self.reply.start(response.status_code, self._headers())

    async def send(self, data: bytes) -> None:
        if data:
            if self.call.recording is not None:
                self.call.recording.data(data)
            await self._write(self._through(data))

    def comment(self) -> bool:
        """Keep a waiting client's connection busy; False once the answer has begun."""
        if self._flow.response is not None:
            return False
        self.call.status = 200  # as which the reply begins
        return self.reply.comment(self._headers())

    async def close(self) -> None:
        """End a streamed reply that is whole."""
        if callable(getattr(self._flow.response, "stream", None)):
            await self._write(self._through(b""))
        await self._hooks.observe("response", self._flow)
        await self.reply.end()

    async def break_off(self, error: GatewayError) -> None:
        """End a streamed reply that can't be made whole: never like a success."""
        call = self.call
        call.error = error
        self._flow.error = mitm_flow.Error(str(error))
        said = self._error_event(error)
        if said and self._streams_events:
            await self._write(self._last_words(said))
            await self.reply.end()
        else:
            self.reply.abort()

    def _error_event(self, error: GatewayError) -> bytes:
        call = self.call
        if self.continuation is not None:
            return self.continuation.error(error, call.request_id)
        return dialects.error_event(error, call.dialect, call.operation, call.request_id)

    async def _write(self, data: bytes) -> None:
        """Send a part of a streamed body, and show it to who watches."""
        if self.call.watch is not None and data:
            self.call.watch.data(data)
        await self.reply.write(data)

    @property
    def _streams_events(self) -> bool:
        """Whether what has begun may hold an error: a file, or JSON, must not."""
        if self._flow.response is None:
            return True  # comments were sent while waiting
        kind = self._flow.response.headers.get("content-type", "")
        return kind.partition(";")[0].strip().lower() in STREAM_TYPES

    def _last_words(self, said: bytes) -> bytes:
        """An in-band error as an addon's stream callable tells it."""
        try:
            return self._through(said)
        except Exception:
            logger.exception("a stream callable failed")
            return said  # most likely it is what the error is about

    def _through(self, data: bytes) -> bytes:
        """What an addon's stream callable makes of a chunk; a fault in it ends the call."""
        stream = self._flow.response.stream if self._flow.response else True
        if not callable(stream):
            return data
        out = stream(data)
        return out if isinstance(out, bytes) else b"".join(out)

    def _passed_on(self, ready: Ready) -> list[Header]:
        raw_headers, attempt = ready.answer.raw_headers, ready.attempt
        hops = hop_by_hop(raw_headers)
        return [
            (
                name,
                hidden(local(value, attempt.url) if low == b"location" else value, attempt.secrets),
            )
            for name, value in raw_headers
            if (low := name.lower()) not in _KEPT_BACK
            and low not in hops
            and not low.startswith(_KEPT_BACK_PREFIXES)
        ]

    def _headers(self) -> list[Header]:
        """The flow's response headers and ours."""
        call = self.call
        fields = list(self._flow.response.headers.fields) if self._flow.response else []
        fields.append((b"x-request-id", call.request_id.encode()))
        if call.dialect == "anthropic":
            fields.append((b"request-id", call.request_id.encode()))
        if call.answering is not None:
            fields.append((b"x-llmitm-target", call.answering.encode()))
            fields.append((b"x-llmitm-attempts", b"%d" % len(call.attempts)))
        if call.cache is not None:
            fields.append((b"x-llmitm-cache", call.cache.encode()))
        if call.from_cache is not None:
            fields.append((b"age", b"%d" % call.from_cache.age))
        if call.cost_usd is not None and call.settled:
            fields.append((b"x-llmitm-cost-usd", f"{call.cost_usd:f}".encode()))
        fields.extend((k.encode(), v.encode()) for k, v in call.reply_headers.items())
        return fields
