"""Holds every call to its limits: all of them have room, or it takes nothing and is refused."""

from __future__ import annotations

from math import inf

from mitmproxy import http

from llmitm import estimate
from llmitm.call import Call, call_of
from llmitm.errors import Cause, GatewayError
from llmitm.policy import limits as policy
from llmitm.policy.accounts import Grant, Shortage
from llmitm.policy.headers import rate_limit_headers
from llmitm.policy.limits import CONCURRENT, DAY, TOKENS, Limit
from llmitm.runtime import runtime
from llmitm.waiting import WaitingRoom

# Reserved for an answer whose length the request doesn't bound, but of no limit more than a
# quarter. It is settled for what it was, and the limit waits for that if it was more.
LIKELY_OUTPUT = 4096
SHARE = 4

Limits = tuple[Limit, ...]


class RateLimit:
    def __init__(self) -> None:
        self._open: dict[str, tuple[Limits, Grant]] = {}
        self._waiting = WaitingRoom(_give_back)

    async def request(self, flow: http.HTTPFlow) -> None:
        if flow.response:
            return
        call = call_of(flow)
        limits = limits_of(call)
        if not limits:
            return
        answer = await self._take(call, limits, await tokens_of(flow, call, limits))
        self._tell(call, limits, answer)
        if isinstance(answer, Shortage):
            raise refused(policy.refusal(limits, answer), answer.cost)
        self._open[call.request_id] = limits, answer

    async def settle(self, flow: http.HTTPFlow) -> None:
        """Tell how the limits stand also who is answered, or refused, before they are asked."""
        call = call_of(flow)
        if call.request_id in self._open or _told(call):
            return
        limits = limits_of(call)
        if not limits:
            return
        nothing = await runtime().limits.take(limits, [0] * len(limits))
        self._tell(call, limits, nothing)
        if isinstance(nothing, Grant):
            await _give_back(nothing)

    async def call_end(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        limits, grant = self._open.pop(call.request_id, (None, None))
        if limits is None or grant is None:
            return
        if call.error is not None and call.error.cause is Cause.BUDGET_EXHAUSTED:
            await _give_back(grant)  # a call that was refused uses nothing up
        else:
            tokens = call.usage.total_tokens if call.usage else 0
            await runtime().limits.settle(grant, policy.used(limits, tokens))
        self._waiting.freed()

    async def done(self) -> None:
        await self._waiting.close()

    def _tell(self, call: Call, limits: Limits, answer: Grant | Shortage) -> None:
        now = answer.at if isinstance(answer, Grant) else answer.now
        standings = policy.standings(limits, answer.levels, now)
        call.reply_headers.update(rate_limit_headers(standings))

    async def _take(self, call: Call, limits: Limits, tokens: int) -> Grant | Shortage:
        """Take what the call needs, now or, where calls may queue, when there is room."""
        store, costs = runtime().limits, policy.costs(limits, tokens)

        async def take() -> Grant | Shortage:
            return await store.take(limits, costs)

        shortage = None
        limit = self._waiting.queued_for(limits)
        if limit is None:
            answer = await take()
            if isinstance(answer, Grant):
                return answer
            shortage, limit = answer, limits[answer.position]
            if not worth_waiting(limit, shortage):
                return shortage
        key = call.principal.key if call.principal else ""
        return await self._waiting.wait(limit, key, take, shortage) or await take()


def limits_of(call: Call) -> Limits:
    """The limits that a call is under."""
    live, who = runtime(), call.principal
    if who is None:
        return ()
    if call.route is None and call.model:
        route = live.policies.route_for(call.model)
        call.route = route.model if route else None  # a refused call counts for its route, too
    return live.scopes.of(live.policies, who, call.model, call.route).limits


async def tokens_of(flow: http.HTTPFlow, call: Call, limits: Limits) -> int:
    """How many tokens to reserve for a call: counted exactly only where the bound is too large."""
    smallest = min((limit.amount for limit in limits if limit.kind is TOKENS), default=None)
    if smallest is None or call.operation not in estimate.COUNTED:
        return 0
    likely = min(LIKELY_OUTPUT, smallest // SHARE)
    output = estimate.output_bound(call, call.body(flow) or {}, likely)
    tokens = estimate.prompt_bound(flow, call) + output
    return tokens if tokens <= smallest else await estimate.count_prompt(flow, call) + output


def _told(call: Call) -> bool:
    return any(name.startswith("x-ratelimit-") for name in call.reply_headers)


def worth_waiting(limit: Limit, shortage: Shortage) -> bool:
    """Whether there may be room within the time that calls may queue."""
    if limit.kind is CONCURRENT:
        return limit.wait > 0
    return shortage.at != inf and shortage.at - shortage.now <= limit.wait


def refused(refusal: policy.Refusal, cost: int) -> GatewayError:
    limit = refusal.limit
    kind, _, name = limit.scope.partition(":")
    runtime().metrics["llmitm_rate_limited_total"].at(kind, limit.kind).inc()
    who = f"{kind} {name}" if name else "all calls together"
    per = "day" if limit.period == DAY else "minute"
    headers = {}
    if limit.kind is CONCURRENT:
        text = f"Too many calls at the same time: the limit of {who} is {limit.amount}."
    elif refusal.too_large:
        headers = {"x-should-retry": "false"}
        text = (
            f"This request may use {cost} {limit.kind}, more than the limit of {who}: "
            f"{limit.amount} per {per}. Send less, or set a lower max_tokens."
        )
    else:
        text = (
            f"Rate limit of {who} reached: {limit.amount} {limit.kind} per {per}. "
            f"Try again in {refusal.retry_after:.3f} s."
        )
    return GatewayError(Cause.RATE_LIMITED, text, retry_after=refusal.retry_after, headers=headers)


async def _give_back(grant: Grant) -> None:
    await runtime().limits.settle(grant, [0] * len(grant.costs))


addons = [RateLimit()]
