"""Says when a budget's warning threshold is reached: log, metric and webhook."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import msgspec

from llmitm.engine.upstream import UpstreamError
from llmitm.policy.account import Level
from llmitm.policy.budget import Budget
from llmitm.policy.cost import usd
from llmitm.runtime import Runtime

logger = logging.getLogger(__name__)

WEBHOOK_SECONDS = 5.0
_encode = msgspec.json.Encoder(decimal_format="number").encode


class BudgetWatch:
    """Compares what was spent with the thresholds; each is reported once when it is reached."""

    def __init__(self) -> None:
        self._reached: set[str] = set()
        self._posting: set[asyncio.Task[None]] = set()

    def look(self, live: Runtime, budgets: Sequence[Budget], levels: Sequence[Level]) -> None:
        """Take note of where budgets stand. Reservations aren't spent yet."""
        for budget, level in zip(budgets, levels, strict=True):
            spent = level.spent - level.held
            labels = labels_of(budget)
            left = max(0, budget.amount - spent)
            live.metrics["llmitm_budget_remaining_usd"].at(*labels).set(float(usd(left)))
            live.metrics["llmitm_budget_limit_usd"].at(*labels).set(float(usd(budget.amount)))
            if budget.warn_at is None or spent < budget.warn_at * budget.amount:
                self._reached.discard(budget.id)
            elif budget.id not in self._reached:
                self._reached.add(budget.id)
                live.metrics["llmitm_budget_warnings_total"].at(*labels).inc()
                self._warn(live, budget, spent)

    def _warn(self, live: Runtime, budget: Budget, spent: int) -> None:
        logger.warning(
            "budget of %s: %s of %s USD spent this %s",
            budget.scope, usd(spent), usd(budget.amount), budget.period,
        )  # fmt: skip
        webhook = live.policies.limits.webhook
        if webhook is not None:
            post = self._post(live, webhook.reveal(), _encode(notice(budget, spent)))
            task = asyncio.create_task(post, name="budget webhook")
            self._posting.add(task)
            task.add_done_callback(self._posting.discard)

    async def _post(self, live: Runtime, url: str, body: bytes) -> None:
        headers = {"content-type": "application/json"}
        try:
            async with asyncio.timeout(WEBHOOK_SECONDS):
                answer = await live.upstream.send("POST", url, headers, body, WEBHOOK_SECONDS)
        except (UpstreamError, TimeoutError) as fault:
            logger.warning("budget webhook: %s", fault or "no answer")
            return
        if answer.status >= 400:
            logger.warning("budget webhook: answered %d", answer.status)
        answer.close()


def labels_of(budget: Budget) -> tuple[str, str, str]:
    """Scope, id and period of a budget, as the metrics have them."""
    kind, name = budget.owner
    return kind, name or "", budget.period.value


def notice(budget: Budget, spent: int) -> dict[str, object]:
    """What the webhook is told."""
    scope, name, per = labels_of(budget)
    return {
        "event": "budget_warning",
        "scope": scope,
        "id": name or None,
        "per": per,
        "calendar": budget.zone,
        "warn_at": budget.warn_at,
        "budget_usd": usd(budget.amount),
        "spent_usd": usd(spent),
    }
