"""Reserves the most that a call can cost before it is sent, and settles what it did cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from mitmproxy import http

from llmitm import estimate
from llmitm.budget_watch import BudgetWatch
from llmitm.call import Attempt, Call, call_of
from llmitm.cost_bound import CostBound, cost_bound
from llmitm.errors import Cause, GatewayError
from llmitm.policy.accounts import Grant, Shortage
from llmitm.policy.budget import Budget
from llmitm.policy.cost import nano_usd, usd
from llmitm.runtime import runtime


@dataclass(slots=True)
class Reserved:
    """What a running call holds: one grant, and one more for each time it was resumed."""

    budgets: tuple[Budget, ...]
    bound: CostBound
    grants: list[Grant] = field(default_factory=list)


class BudgetAddon:
    def __init__(self) -> None:
        self._open: dict[str, Reserved] = {}
        self._watch = BudgetWatch()

    async def request(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        if flow.response or call.principal is None:
            return
        live, key = runtime(), call.principal.policy
        budgets = live.scopes.of(live.policies, call.principal, call.model, call.route).budgets
        cap = key.max_usd_per_call if key is not None else None
        if not budgets and cap is None:
            return
        bound = cost_bound(flow, call, live.prices, live.policies.limits.default_max_output)
        if bound is None:
            return
        cost = bound.of_call()
        if cap is not None and cost > nano_usd(cap):
            cost = bound.of_call(await estimate.careful_prompt_bound(flow, call))
            if cost > nano_usd(cap):
                raise too_dear(cost, cap)
        self._open[call.request_id] = reserved = Reserved(budgets, bound)
        if budgets:
            await self._reserve(flow, call, reserved, cost)

    async def upstream_request(self, flow: http.HTTPFlow, attempt: Attempt) -> None:
        """An answer that broke off was paid for as far as it came: going on costs extra."""
        call = call_of(flow)
        reserved = self._open.get(call.request_id)
        if reserved is None or not reserved.grants or not _has_cost(call):
            return
        cost = reserved.bound.of_resumption(attempt.target)
        answer = await runtime().budgets.take(reserved.budgets, [cost] * len(reserved.budgets))
        if isinstance(answer, Shortage):
            raise exhausted(reserved.budgets, answer)
        reserved.grants.append(answer)

    async def call_end(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        reserved = self._open.pop(call.request_id, None)
        if reserved is None or not reserved.grants:
            return
        first, *more = reserved.grants
        for grant in more:
            await self._settle(reserved.budgets, grant, 0)
        await self._settle(reserved.budgets, first, _cost(call, first))

    async def _reserve(
        self, flow: http.HTTPFlow, call: Call, reserved: Reserved, cost: int
    ) -> None:
        budgets, store = reserved.budgets, runtime().budgets
        answer = await store.take(budgets, [cost] * len(budgets))
        if isinstance(answer, Shortage):
            closer = reserved.bound.of_call(await estimate.careful_prompt_bound(flow, call))
            if closer < cost:
                answer = await store.take(budgets, [closer] * len(budgets))
        if isinstance(answer, Shortage):
            raise exhausted(budgets, answer)
        reserved.grants.append(answer)

    async def _settle(self, budgets: tuple[Budget, ...], grant: Grant, cost: int) -> None:
        live = runtime()
        levels = await live.budgets.settle(grant, [cost] * len(budgets))
        self._watch.look(live, budgets, levels)


def _has_cost(call: Call) -> bool:
    return any(attempt.usage or attempt.produced for attempt in call.attempts)


def _cost(call: Call, grant: Grant) -> int:
    """What a call cost; the reservation where it used something whose price has gone since."""
    if call.cost_usd is not None:
        return nano_usd(call.cost_usd)
    return grant.costs[0] if _has_cost(call) else 0


def too_dear(cost: int, cap: Decimal) -> GatewayError:
    return GatewayError(
        Cause.INVALID_REQUEST,
        f"This call may cost up to {usd(cost):f} USD, and one of this key no more than "
        f"{cap:f} USD (max_usd_per_call). Set a lower max_tokens, or send less.",
        param="max_tokens",
        code="max_usd_per_call",
    )


def exhausted(budgets: tuple[Budget, ...], shortage: Shortage) -> GatewayError:
    budget = budgets[shortage.position]
    kind, name = budget.owner
    who = f"{kind} {name}" if name else "all keys together"
    return GatewayError(
        Cause.BUDGET_EXHAUSTED,
        f"The budget of {who}, {usd(budget.amount):f} USD per {budget.period}, is exhausted: "
        f"{usd(shortage.remaining):f} USD are left and this call may cost up to "
        f"{usd(shortage.cost):f} USD.",
    )


addons = [BudgetAddon()]
