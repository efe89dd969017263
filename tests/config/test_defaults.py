from __future__ import annotations

from typing import Any

import pytest

from llmitm.config.defaults import USUAL_MODELS, default_ledger, default_routes, route_to
from llmitm.config.glob import check_glob


def routes(**providers: object) -> dict[str, list[str]]:
    return {
        route["model"]: [target["provider"] for target in route["targets"]]
        for route in default_routes(providers)
    }


@pytest.mark.parametrize(
    ("providers", "catch_all"),
    [
        ({"a": {"api": "openai"}}, None),
        ({"a": {"api": "openai", "base_url": "https://api.openai.com/v1"}}, None),
        ({"a": {"api": "openai", "base_url": "http://vllm:8000/v1"}}, ["a"]),
        ({"a": {"api": "ollama"}, "b": {"api": "ollama"}}, ["a", "b"]),
        ({"a": {"api": "simulator"}, "b": {"api": "ollama"}}, ["b"]),
        ({"a": {"api": "anthropic"}, "b": {"api": "simulator"}}, ["b"]),
        ({"a": "broken", "b": None}, None),
    ],
)
def test_rest_goes_to_what_takes_any_model(providers: Any, catch_all: Any) -> None:
    """Models without a usual provider go to Ollama, a server of one's own, or the simulator."""
    assert routes(**providers).get("*") == catch_all


def test_first_provider_of_an_api_counts() -> None:
    """Two accounts of one API leave the usual models to the first."""
    found = routes(one={"api": "anthropic"}, two={"api": "anthropic"})
    assert found == {"claude-*": ["one"]}


def test_usual_models_are_patterns() -> None:
    """Every usual name is a pattern that can be written in routes.yaml."""
    assert all(check_glob(model) for models in USUAL_MODELS.values() for model in models)


def test_several_take_turns() -> None:
    """One provider is asked as it is, several in turn."""
    assert route_to(["a"], "m")["strategy"] == "priority"
    assert route_to(["a", "b"], "m")["strategy"] == "round_robin"


def test_ledger_falls_back_to_the_home_directory() -> None:
    """Without any variable the ledger is in the user's home."""
    assert default_ledger({}).startswith("sqlite:////")
