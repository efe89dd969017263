from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from llmitm.call import Target
from llmitm.config.resilience import Resilience
from llmitm.config.routes import Route, RouteEntry, RoutesFile, RouteTable

TARGET = Target("p")


def table(*models: str) -> RouteTable:
    return RouteTable(Route(model=model, targets=(TARGET,)) for model in models)


@pytest.mark.parametrize(
    ("models", "asked", "found"),
    [
        (("gpt-*", "gpt-4o"), "gpt-4o", "gpt-4o"),
        (("gpt-*", "gpt-4*", "*"), "gpt-4o", "gpt-*"),
        (("gpt-4*", "gpt-*"), "gpt-4o", "gpt-4*"),
        (("gpt-*", "*"), "llama", "*"),
        (("gpt-*",), "llama", None),
        (("a", "a"), "a", "a"),
        (("x[1m]",), "x[1m]", "x[1m]"),
    ],
)
def test_finds_routes(models: Any, asked: str, found: str | None) -> None:
    """An exact name comes first, then the first pattern that matches."""
    routes = table(*models)
    for _ in range(2):
        route = routes.find(asked)
        assert (route and route.model) == found


def test_cache_is_bounded() -> None:
    """Clients that make up models do not fill the memory."""
    routes = table("*")
    for number in range(5000):
        routes.find(f"model-{number}")
    assert routes.find.cache_info().currsize == 4096


def test_resolves() -> None:
    """An entry becomes a route with targets and a complete resilience."""
    entry = RouteEntry.model_validate(
        {
            "model": "gpt-*",
            "strategy": "weighted",
            "targets": [
                {"provider": "openai"},
                {"provider": "local", "model": "l", "weight": 2, "prefill": True, "context": 8192},
            ],
            "resilience": {"attempts": 1},
            "sticky": "user",
        }
    )
    base = Resilience.model_validate({"timeouts": {"total": 60}})
    route = entry.route(base)
    assert route.targets == (Target("openai"), Target("local", "l", 2.0, True, 8192))
    assert (route.strategy, route.sticky) == ("weighted", "user")
    assert (route.resilience.retry.attempts, route.resilience.timeouts.total) == (1, 60)


def test_shares_the_base_where_nothing_is_overridden() -> None:
    """Routes without resilience of their own have the policy's."""
    base = Resilience()
    entry = RouteEntry.model_validate({"model": "*", "targets": [{"provider": "p"}]})
    assert entry.route(base).resilience is base


@pytest.mark.parametrize(
    "wrong",
    [
        {"targets": []},
        {"targets": [{"provider": "p", "model": "gpt-*"}]},
        {"targets": [{"provider": "p", "model": ""}]},
        {"targets": [{"provider": "p", "weight": -1}]},
        {"targets": [{"provider": "p", "context": 0}]},
        {"targets": [{"provider": "p", "weight": 0}], "strategy": "weighted"},
        {"targets": [{"provider": "p"}], "strategy": "random"},
        {"targets": [{"provider": "p"}], "sticky": "team"},
    ],
)
def test_refuses(wrong: Any) -> None:
    """A route that could never answer is refused."""
    with pytest.raises(ValidationError):
        RoutesFile.model_validate({"routes": [{"model": "m", **wrong}]})
