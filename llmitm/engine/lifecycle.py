"""The life of a call, from its request head to `call_end`, whatever happens in between."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Coroutine
from typing import Any, Protocol

from mitmproxy import flow as mitm_flow
from mitmproxy import http

from llmitm.call import call_of
from llmitm.engine.delivery import Delivery, report
from llmitm.engine.exchange import Exchange
from llmitm.engine.hooks import HookTable
from llmitm.engine.killing import MESSAGE, killed
from llmitm.engine.reply import Reply
from llmitm.engine.upload import Upload
from llmitm.errors import Cause, GatewayError
from llmitm.runtime import Runtime

logger = logging.getLogger(__name__)

_INTERCEPT_POLL = 0.2
_LAST_WORDS_SECONDS = 2.0  # for a killed call's client, which may not be reading


class Intake(Protocol):
    """Reads the body of a request, onto the flow or as a stream."""

    async def read(self) -> Upload | None: ...


class Lifecycle:
    """Takes each flow from its request head to `call_end`, which fires once for every call."""

    def __init__(self, hooks: HookTable, runtime: Runtime) -> None:
        self.hooks = hooks
        self.runtime = runtime
        self.in_flight = 0
        self._ending: set[asyncio.Task[None]] = set()

    async def run(
        self,
        flow: http.HTTPFlow,
        reply: Reply,
        intake: Intake,
        refusal: GatewayError | None = None,
    ) -> None:
        """Answer one call. Raises CancelledError or ConnectionError when the client is gone."""
        self.in_flight += 1
        try:
            await self._answer(flow, reply, intake, refusal)
        except (asyncio.CancelledError, ConnectionError):
            self._client_gone(flow)
            self.detach(flow)
            raise
        else:
            # A client that leaves now ends its own task, and must not end this with it.
            await asyncio.shield(self.detach(flow))
        finally:
            self.in_flight -= 1

    async def settled(self, timeout: float) -> None:
        """Wait for calls whose clients left to be settled."""
        if self._ending:
            await asyncio.wait(self._ending, timeout=timeout)

    async def _answer(
        self, flow: http.HTTPFlow, reply: Reply, intake: Intake, refusal: GatewayError | None
    ) -> None:
        delivery, call = Delivery(self.hooks, flow, reply, self.settle), call_of(flow)
        call.task = asyncio.current_task()
        try:
            if refusal is not None:
                raise refusal
            await self.hooks.decide("requestheaders", flow)
            upload = None
            if flow.response is None:
                upload = await intake.read()
                await self.hooks.decide("request", flow)
                await self._while_intercepted(flow)
            if flow.response is None:
                await Exchange(self.runtime, self.hooks, flow, delivery, upload).run()
            else:
                await delivery.own_response()
        except GatewayError as error:
            await delivery.refuse(error)
        except asyncio.CancelledError:
            verdict = killed(call)
            if verdict is None:
                raise
            await self._stop(delivery, verdict)
        except ConnectionError:
            raise
        except Exception:
            logger.exception("call failed")
            await delivery.refuse(
                GatewayError(Cause.INTERNAL, "The gateway failed while handling this request.")
            )
        finally:
            call.task = None

    async def _stop(self, delivery: Delivery, verdict: GatewayError) -> None:
        delivery.call.had_all = False
        try:
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                await delivery.refuse(verdict)
        except TimeoutError:
            delivery.reply.abort()

    def _client_gone(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        if call.had_all:
            return
        if call.error is None:
            call.error = GatewayError(Cause.CLIENT_CLOSED, "The client closed the connection.")
        call.status = call.status or call.error.status(call.dialect)
        if flow.error is None:
            flow.error = mitm_flow.Error("client disconnected")

    def detach(self, flow: http.HTTPFlow) -> asyncio.Task[None]:
        """End a call in a task of its own."""
        task = _begin(self._end(flow))
        if not task.done():
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        return task

    async def _while_intercepted(self, flow: http.HTTPFlow) -> None:
        """Wait until who held a flow resumes or kills it. Raises GatewayError for a killed one."""
        if flow.intercepted:
            since = time.monotonic()
            await self.hooks.observe("update", [flow])
            while flow.intercepted:
                # `kill` clears the mark without waking who waits, so look again now and then.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(flow.wait_for_resume(), _INTERCEPT_POLL)
            call_of(flow).held += time.monotonic() - since
        if flow.error is not None:
            raise GatewayError(Cause.KILLED, MESSAGE)

    async def settle(self, flow: http.HTTPFlow) -> None:
        """Complete usage and cost, once: before the headers of a whole answer, or at the end."""
        call = call_of(flow)
        if call.settling is None:
            call.settling = _begin(self.hooks.observe("settle", flow))
        await asyncio.shield(call.settling)

    async def _end(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        for attempt in call.attempts:
            if attempt.ended is None:
                if not call.had_all:
                    cause = call.error.cause if call.error else Cause.CLIENT_CLOSED
                    attempt.error = attempt.error or cause.value
                await report(self.hooks, flow, attempt)
        if call.had_all:
            await self.hooks.observe("response", flow)
        elif flow.error is not None:
            await self.hooks.observe("error", flow)
        await self.settle(flow)
        call.ended = time.monotonic()
        flow.live = False
        call.record = call.freeze()
        await self.hooks.observe("call_end", flow)


def _begin(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task that has run as far as it can without waiting, most often to its end."""
    return asyncio.Task(work, loop=asyncio.get_running_loop(), eager_start=True)
