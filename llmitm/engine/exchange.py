"""Attempts until one answers, and on to the end of the answer. Read top to bottom.

What to do after each attempt is decided in `llmitm/policy/failover.py`; how a broken stream goes
on is in `resume.py`.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace

from mitmproxy import http

from llmitm.call import Attempt, Target, call_of
from llmitm.engine.attempt import Body, Ready, begin
from llmitm.engine.delivery import Delivery, report
from llmitm.engine.failure import AttemptFailed, untranslatable
from llmitm.engine.hedge import race
from llmitm.engine.hooks import HookTable
from llmitm.engine.keepalive import KeepAlive
from llmitm.engine.outgoing import prepare
from llmitm.engine.resume import Resumption
from llmitm.engine.terms import Terms
from llmitm.engine.upload import Upload
from llmitm.errors import Cause, GatewayError
from llmitm.policy import failover
from llmitm.policy.failover import Deliver, Next, Retry, Stop
from llmitm.policy.outcome import AttemptOutcome
from llmitm.runtime import Runtime

MESSAGES = {
    Cause.RATE_LIMITED: "Every provider of this model asks to wait. Try again later.",
    Cause.UPSTREAM_TIMEOUT: "The provider of this model did not answer in time.",
    Cause.CIRCUIT_OPEN: "The providers of this model are failing and are not asked for now.",
    Cause.INVALID_RESPONSE: "The model did not answer in the form that was asked for.",
    Cause.STREAM_CUT: "The answer broke off and could not be continued.",
    Cause.UPSTREAM_REFUSED: "The provider refused to go on with this answer.",
}
UNAVAILABLE = "The provider of this model is not available."
_rng = random.Random()


class Exchange:
    """One call's way through its targets."""

    def __init__(
        self,
        runtime: Runtime,
        hooks: HookTable,
        flow: http.HTTPFlow,
        delivery: Delivery,
        upload: Upload | None,
    ) -> None:
        self._runtime = runtime
        self._hooks = hooks
        self._flow = flow
        self._delivery = delivery
        self._upload = upload
        self._call = call_of(flow)
        self._plan = {target.name: target for target in self._call.plan}
        self._history: list[AttemptOutcome] = []
        self._resumption: Resumption | None = None
        self._policy = self._call.resilience
        self._deadline = self._call.started + self._call.held + self._policy.retry.deadline

    async def run(self) -> None:
        """Answer the call. Raises GatewayError where no target could."""
        self._runtime.targets.retry_budget.deposit(time.monotonic(), self._policy.retry.budget)
        target: Target | None = self._call.plan[0]
        with KeepAlive(self._call, self._delivery, self._policy.keep_alive):
            while target is not None:
                try:
                    await self._deliver(await self._ask(target))
                    return
                except AttemptFailed as failure:
                    target = await self._after(target, failure)

    async def _ask(self, target: Target) -> Ready:
        """An answer of `target`, or of the next one where that one is faster (hedging)."""
        after, other = self._policy.hedge_after, self._unasked(target)
        if after is None or other is None or not self._may_hedge():
            return await self._attempt(target)
        ready = await race(self._attempt, target, other, after, self._outrun)
        self._call.attempts.sort(key=lambda attempt: attempt is ready.attempt)  # to the end
        return ready

    async def _attempt(self, target: Target) -> Ready:
        call, runtime = self._call, self._runtime
        attempt = Attempt(target, len(call.attempts) + 1, target.model_for(call.model or "*"))
        provider = runtime.gateway.providers[target.provider]
        body = self._resumption.body(target) if self._resumption else call.body(self._flow)
        base_url = runtime.targets.base_url(target.provider)
        try:
            translation = prepare(self._flow, call, attempt, provider, base_url, body)
        except GatewayError as fault:
            raise untranslatable(attempt, fault) from fault
        await self._admit(attempt)
        terms = Terms(call, self._policy.timeouts, translation, self._policy.hold)
        try:
            sent: Body = self._upload.body(attempt) if self._upload else attempt.body
            return await begin(runtime.upstream, attempt, terms, sent)
        except AttemptFailed as failure:
            if self._upload is not None and self._upload.fault is not None:
                attempt.error = self._upload.fault.cause.value  # it says nothing of the target
                await report(self._hooks, self._flow, attempt)
                raise self._upload.fault from failure
            await self._failed(attempt, failure)
            raise
        except asyncio.CancelledError:
            await self._given_up(attempt)
            raise
        finally:
            call.upstream_wait += time.monotonic() - attempt.started

    async def _admit(self, attempt: Attempt) -> None:
        """Have the addons let the attempt go. Raises AttemptFailed where its target isn't asked."""
        attempt.started = time.monotonic()
        try:
            await self._hooks.decide("upstream_request", self._flow, attempt)
        except BaseException:
            self._runtime.targets.withdraw(attempt)  # one addon may have let it go, the next not
            raise
        self._call.attempts.append(attempt)

    async def _deliver(self, ready: Ready) -> None:
        attempt = ready.attempt
        try:
            if ready.stream is not None:
                await self._stream(ready)
            elif ready.body is not None:
                self._call.usage = attempt.usage
                await report(self._hooks, self._flow, attempt)
                await self._delivery.whole(ready)
            else:
                await self._delivery.raw(ready)
                await report(self._hooks, self._flow, attempt)
        except AttemptFailed as failure:
            await self._failed(attempt, failure)
            raise
        finally:
            ready.close()

    async def _stream(self, ready: Ready) -> None:
        stream, call, delivery = ready.stream, self._call, self._delivery
        if stream is None:
            raise RuntimeError("not a stream")
        await delivery.open(ready)
        resumption = self._resumption
        if resumption is None:
            resumption = self._resumption = Resumption(call, self._flow)
        delivered = False
        try:
            while events := await stream.next():
                await delivery.send(resumption.through(events, stream.complete))
                delivered = stream.complete
        except (asyncio.CancelledError, ConnectionError):
            call.had_all = delivered  # SDKs leave at the end mark, without waiting for the end
            raise
        except GatewayError as error:
            ready.attempt.error = error.cause.value  # what it wrote doesn't fit to what was there
            raise
        finally:
            resumption.account(ready.attempt, stream)
        await report(self._hooks, self._flow, ready.attempt)
        await delivery.send(resumption.ending(stream))
        await delivery.close()

    async def _after(self, target: Target, failure: AttemptFailed) -> Target | None:
        """Where the call goes on after a failed attempt; None where the client has its answer."""
        outcome, retry = failure.outcome, self._policy.retry
        if outcome.committed:
            self._deadline = outcome.at + retry.deadline  # it was for the first token, which came
        if self._resumption is not None:
            outcome = replace(outcome, committed=True)  # the client has the beginning
            room = retry.attempts - len(self._call.attempts)
            if room > 0 and self._resumption.prefill_refused(target, outcome):
                self._history.append(outcome)
                return target
        decision = failover.decide(outcome, self._context(), _rng)
        self._history.append(outcome)
        match decision:
            case Deliver():
                await self._delivery.provider_refusal(failure)
                return None
            case Next(name):
                self._count_failover(outcome.target, name, outcome)
                return self._plan[name]
            case Retry(name, after):
                if retry.budget is not None:
                    self._runtime.targets.retry_budget.take(time.monotonic())
                self._runtime.metrics["llmitm_retries_total"].at(name).inc()
                await asyncio.sleep(after)
                self._call.upstream_wait += after  # a pause the provider asked for is not ours
                return self._plan[name]
            case Stop(cause, retry_after):
                message = MESSAGES.get(cause, UNAVAILABLE)
                raise GatewayError(cause, message, retry_after=retry_after)

    def _context(self) -> failover.Context:
        retry, budget = self._policy.retry, self._runtime.targets.retry_budget
        outrun = sum(attempt.outcome is None for attempt in self._call.attempts)
        return failover.Context(
            targets=self._call.plan,
            earlier=self._history,
            attempts=retry.attempts - outrun,
            repeats=retry.attempts - 1,
            deadline=self._deadline,
            backoff_base=retry.base,
            backoff_max=retry.max,
            backoff_growth=retry.multiplier,
            may_retry=retry.budget is None or budget.available(time.monotonic()),
            prompt_tokens=self._call.prompt_estimate,
            failover_on_content_policy=self._policy.failover_on_content_policy,
            resume=self._policy.mid_stream == "resume"
            and self._resumption is not None
            and self._resumption.possible,
        )

    async def _failed(self, attempt: Attempt, failure: AttemptFailed) -> None:
        attempt.outcome = failure.outcome
        reason = failure.outcome.failure
        attempt.error = reason.value if reason else failure.outcome.category.value
        await report(self._hooks, self._flow, attempt)

    async def _given_up(self, attempt: Attempt) -> None:
        """The client left, or another attempt was faster."""
        if attempt.ended is None:
            attempt.error = "cancelled"
            await report(self._hooks, self._flow, attempt)

    def _may_hedge(self) -> bool:
        """Whether the client waits for a stream's first token, and two more may be asked for it."""
        room = self._policy.retry.attempts - len(self._call.attempts)
        return self._call.stream and not (self._resumption or self._upload) and room > 1

    def _outrun(self, target: Target, failure: AttemptFailed) -> None:
        """An attempt failed while a hedged one was still running."""
        self._history.append(failure.outcome)

    def _unasked(self, target: Target) -> Target | None:
        asked = {outcome.target for outcome in self._history} | {target.name}
        return next((t for t in self._call.plan if t.name not in asked), None)

    def _count_failover(self, before: str, after: str, outcome: AttemptOutcome) -> None:
        reason = outcome.failure.value if outcome.failure else outcome.category.value
        self._runtime.metrics["llmitm_failovers_total"].at(before, after, reason).inc()
