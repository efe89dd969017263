"""Which limits and budgets a call is under."""

from __future__ import annotations

import pytest

from llmitm.call import Principal
from llmitm.config.schema import Budget, Key, LimitPolicy, Limits, Policies, Team, User
from llmitm.policy.limits import Kind
from llmitm.scopes import MAX_REMEMBERED, Scopes, everyones_budgets

KEY = Key.model_validate(
    {
        "id": "dev",
        "key": "sk-dev",
        "user": "ava",
        "limits": {"requests_per_minute": 10, "concurrent": 2, "wait": "5s"},
        "budgets": [{"usd": 5, "per": "day"}, {"usd": 3, "per": "day"}],
    }
)
POLICIES = Policies(
    keys=(KEY,),
    users={"ava": User(id="ava", limits=Limits(tokens_per_minute=100))},
    teams={"t": Team(id="t", budgets=(Budget(usd="50", per="month", calendar="UTC"),))},  # type: ignore[arg-type]
    limits=LimitPolicy.model_validate(
        {
            "global": {"limits": {"concurrent": 500}, "budgets": [{"usd": 9, "per": "week"}]},
            "models": [{"model": "gpt-*", "limits": {"tokens_per_day": 1000}}],
            "routes": [{"route": "gpt-4o", "limits": {"requests_per_minute": 7}}],
            "key": {"limits": {"requests_per_minute": 1}},
            "user": {"limits": {"requests_per_minute": 2}},
            "team": {"limits": {"requests_per_minute": 3}},
        }
    ),
)
DEV = Principal("dev", "ava", "t", KEY)


def limits(who: Principal, model: str | None = None, route: str | None = None) -> set[str]:
    found = Scopes().of(POLICIES, who, model, route).limits
    return {f"{limit.scope} {limit.kind} {limit.amount}/{limit.period:g}" for limit in found}


def test_all_scopes() -> None:
    """Key, user, team, every model and route that fits, and everyone's."""
    assert limits(DEV, "gpt-4o", "gpt-4o") == {
        "key:dev requests 10/60",
        "key:dev concurrent 2/60",
        "user:ava tokens 100/60",
        "model:gpt-* tokens 1000/86400",
        "route:gpt-4o requests 7/60",
        "global concurrent 500/60",
    }


def test_those_that_no_file_names_have_the_defaults() -> None:
    """A user or team made at run time, and callers without a key."""
    assert limits(Principal("anonymous", "bob", "new")) == {
        "key:anonymous requests 1/60",
        "user:bob requests 2/60",
        "team:new requests 3/60",
        "global concurrent 500/60",
    }


def test_waiting_is_the_scopes() -> None:
    """A limit lets calls queue where its own scope says so."""
    found = Scopes().of(POLICIES, DEV, None, None).limits
    assert {limit.scope: limit.wait for limit in found} == {
        "key:dev": 5.0,
        "user:ava": 0.0,
        "global": 0.0,
    }


def test_budgets() -> None:
    """Of two budgets for one window the smaller counts."""
    found = Scopes().of(POLICIES, DEV, None, None).budgets
    assert {(b.scope, b.period, b.zone): b.amount // 10**9 for b in found} == {
        ("key:dev", "day", None): 3,
        ("team:t", "month", "UTC"): 50,
        ("global", "week", None): 9,
    }
    assert {b.id for b in everyones_budgets(POLICIES)} == {b.id for b in found}


def test_remembered_until_the_policies_change() -> None:
    """Looking again gives the same objects, in bounded memory."""
    scopes = Scopes()
    first = scopes.of(POLICIES, DEV, "m", "r")
    assert scopes.of(POLICIES, DEV, "m", "r") is first
    assert scopes.of(Policies(keys=(KEY,)), DEV, "m", "r") is not first
    for number in range(MAX_REMEMBERED + 10):
        scopes.of(POLICIES, DEV, f"m{number}", None)
    assert len(scopes._known) <= MAX_REMEMBERED


@pytest.mark.parametrize("kind", Kind)
def test_nothing_is_limited_by_default(kind: Kind) -> None:
    """Without policies there is no limit of any kind."""
    found = Scopes().of(Policies(), Principal("k"), "m", "r")
    assert (kind, found.limits, found.budgets) == (kind, (), ())
