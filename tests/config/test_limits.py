from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from llmitm.config.limits import Budget, LimitPolicy, Limits


def test_completes_from_defaults() -> None:
    """A scope's own limits win; the default fills the rest, and null lifts it."""
    own = Limits.model_validate({"requests_per_minute": 5, "concurrent": None})
    default = Limits(requests_per_minute=60, tokens_per_minute=1000, concurrent=2)
    assert own.over(default).model_dump(exclude_none=True) == {
        "requests_per_minute": 5,
        "tokens_per_minute": 1000,
    }


def test_budget() -> None:
    """A budget is rolling and warns at 80 % unless it says otherwise."""
    budget = Budget.model_validate({"usd": "0.10", "per": "month"})
    assert (budget.usd, budget.calendar, budget.warn_at) == (Decimal("0.10"), None, 0.8)


@pytest.mark.parametrize(
    "budget",
    [
        {"usd": 1},
        {"usd": 1, "per": "year"},
        {"usd": 1, "per": "day", "warn_at": 0},
        {"usd": 1, "per": "day", "warn_at": 2},
        {"usd": 1, "per": "day", "calendar": "Mars/Base"},
    ],
)
def test_refuses_budgets(budget: Any) -> None:
    """Periods, time zones and shares are checked."""
    with pytest.raises(ValidationError):
        Budget.model_validate(budget)


def test_policy() -> None:
    """Each kind of scope has its place in limits.yaml."""
    policy = LimitPolicy.model_validate(
        {
            "global": {"limits": {"concurrent": 9}, "budgets": [{"usd": 1, "per": "day"}]},
            "models": [{"model": "gpt-*", "limits": {"wait": "5s"}}],
            "routes": [{"route": "small", "budgets": [{"usd": 2, "per": "hour"}]}],
            "user": {"limits": {"tokens_per_day": 5}},
        }
    )
    assert policy.global_.limits.concurrent == 9
    assert (policy.models[0].model, policy.models[0].limits.wait) == ("gpt-*", 5)
    assert (policy.routes[0].route, policy.routes[0].budgets[0].usd) == ("small", Decimal(2))
    assert (policy.user.limits.tokens_per_day, policy.team.limits) == (5, Limits())
