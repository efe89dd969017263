"""Budgets of a single call: reserved, topped up, settled."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

import pytest

from addons.budget import BudgetAddon
from llmitm.call import Attempt, Target, Usage, call_of
from llmitm.errors import Cause, GatewayError
from llmitm.policy.account import Level
from llmitm.scopes import Scopes, everyones_budgets
from llmitm.stores.accounts import AccountStore
from tests.support.gateway import KEY
from tests.support.stage import URL, Stage, flow_of

PRICES = {"prices": [
    {"provider": "sim", "model": "*", "input_per_million": 1000, "output_per_million": 1000},
    {"provider": "far", "model": "*", "input_per_million": 2000, "output_per_million": 2000},
]}  # fmt: skip
BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 20}


def configured(stage: Stage, usd: str = "1", **key: Any) -> BudgetAddon:
    keys = [{"id": "dev", "key": KEY, "budgets": [{"usd": usd, "per": "day"}], **key}]
    store = AccountStore(time.time)
    policies = {"keys": {"keys": keys}, "prices": PRICES}
    providers = {name: {"api": "simulator", "base_url": URL} for name in ("sim", "far")}
    stage.configure(policies, {"providers": providers}, budgets=store, scopes=Scopes())
    return BudgetAddon()


def flow(stage: Stage, body: Any = BODY, plan: tuple[str, ...] = ("sim",)) -> Any:
    made = flow_of("/v1/chat/completions", body, who=stage.key())
    call_of(made).model = "m"
    call_of(made).plan = tuple(Target(provider) for provider in plan)
    return made


async def level(stage: Stage) -> Level:
    """In thousandths of a dollar: what a token costs at sim."""
    found = await stage.runtime.budgets.level(next(everyones_budgets(stage.runtime.policies)))
    return Level(found.spent // 10**6, found.held // 10**6, 0.0)


def attempt(provider: str = "sim", usage: Usage | None = None, produced: str = "") -> Attempt:
    made = Attempt(Target(provider), 1, "m", usage=usage)
    made.produced = produced
    return made


# Bytes of the request, the template's tokens, max_tokens.
BOUND = len(json.dumps(BODY)) + 32 + 20


async def test_the_worst_case_is_reserved_and_the_cost_settled(stage: Stage) -> None:
    """Once, whatever is said twice."""
    addon = configured(stage)
    made = flow(stage)
    await addon.request(made)
    assert await level(stage) == Level(BOUND, BOUND, 0.0)
    call_of(made).cost_usd = Decimal("0.028")
    for _ in range(2):
        await addon.call_end(made)
    assert await level(stage) == Level(28, 0, 0.0)


async def test_the_dearest_target_of_the_plan(stage: Stage) -> None:
    """Whoever comes to answer, it is within the reservation."""
    addon = configured(stage)
    await addon.request(flow(stage, plan=("sim", "far")))
    assert (await level(stage)).held == 2 * BOUND


async def test_a_closer_count_where_the_bound_does_not_fit(stage: Stage) -> None:
    """The prompt is counted before a call is refused for what its bytes might be."""
    addon = configured(stage, "0.1")
    await addon.request(flow(stage))
    assert 20 < (await level(stage)).held < BOUND


async def test_exhausted(stage: Stage) -> None:
    """The refusal says whose budget, what is left and what the call might cost."""
    addon = configured(stage, "0.05")
    made = flow(stage)
    with pytest.raises(GatewayError) as caught:
        await addon.request(made)
    assert caught.value.cause is Cause.BUDGET_EXHAUSTED
    assert "The budget of key dev, 0.05 USD per day, is exhausted" in caught.value.message
    await addon.call_end(made)
    assert await level(stage) == Level(0, 0, 0.0)


async def test_going_on_with_a_broken_answer_costs_extra(stage: Stage) -> None:
    """The prompt and the text again, reserved when another target is asked, not before."""
    addon = configured(stage)
    made = flow(stage)
    await addon.request(made)
    call_of(made).attempts.append(attempt())
    await addon.upstream_request(made, attempt())
    assert (await level(stage)).held == BOUND
    call_of(made).attempts.append(attempt(produced="some text"))
    await addon.upstream_request(made, attempt())
    assert (await level(stage)).held == 2 * BOUND + 20
    call_of(made).cost_usd = Decimal("0.070")
    await addon.call_end(made)
    assert await level(stage) == Level(70, 0, 0.0)


async def test_no_money_to_go_on(stage: Stage) -> None:
    """The answer ends there, and is settled for what it cost."""
    addon = configured(stage, "0.2")
    made = flow(stage)
    await addon.request(made)
    call_of(made).attempts.append(attempt(produced="some text"))
    with pytest.raises(GatewayError) as caught:
        await addon.upstream_request(made, attempt())
    assert caught.value.cause is Cause.BUDGET_EXHAUSTED


async def test_a_price_that_is_gone(stage: Stage) -> None:
    """A call whose cost can't be told any more has cost what was reserved."""
    addon = configured(stage)
    made = flow(stage)
    await addon.request(made)
    call_of(made).attempts.append(attempt(usage=Usage(8, 20)))
    await addon.call_end(made)
    assert await level(stage) == Level(BOUND, 0, 0.0)


async def test_a_cap_without_a_budget(stage: Stage) -> None:
    """A key may have no budget and still a cap for each call."""
    addon = configured(stage, budgets=[], max_usd_per_call="0.1")
    await addon.request(flow(stage))
    with pytest.raises(GatewayError) as caught:
        await addon.request(flow(stage, {**BODY, "max_tokens": 500}))
    assert caught.value.code == "max_usd_per_call"


async def test_who_has_no_budget(stage: Stage) -> None:
    """Nothing is priced and nothing reserved."""
    addon = configured(stage, budgets=[])
    made = flow(stage, plan=("unpriced",))
    await addon.request(made)
    await addon.upstream_request(made, attempt())
    await addon.call_end(made)
