"""What a request's body gives to the dialects."""

from __future__ import annotations

from typing import Any

import pytest

from llmitm.simulator import Settings
from llmitm.simulator.exchange import Exchange
from llmitm.simulator.faults import parse
from llmitm.simulator.refusals import Refused


def exchange(body: dict[str, Any], fault: str = "ok") -> Exchange:
    return Exchange(body, Settings(), parse(fault))


@pytest.mark.parametrize(
    ("body", "limit"),
    [({}, None), ({"a": 3}, 3), ({"b": 4}, 4), ({"a": None, "b": 4}, 4), ({"a": 3, "b": 4}, 3)],
)
def test_limit_is_the_first_that_is_set(body: dict[str, Any], limit: int | None) -> None:
    """Of two names for one thing the first one counts."""
    assert exchange(body).limit("a", "b") == limit


@pytest.mark.parametrize("wrong", [0, -1, True, 1.5, "3"])
def test_limit_is_a_positive_whole_number(wrong: Any) -> None:
    """Anything else is refused."""
    with pytest.raises(Refused, match="'a' must be a whole number above 0"):
        exchange({"a": wrong}).limit("a")


@pytest.mark.parametrize("wrong", [{}, {"model": ""}, {"model": 3}])
def test_model_is_required(wrong: dict[str, Any]) -> None:
    """A request without a model is refused."""
    with pytest.raises(Refused, match="model"):
        _ = exchange(wrong).model


@pytest.mark.parametrize("wrong", [{}, {"messages": []}, {"messages": "Hi"}])
def test_lists_are_not_empty(wrong: dict[str, Any]) -> None:
    """A request without messages is refused."""
    with pytest.raises(Refused, match="'messages' must be a list"):
        exchange(wrong).list_of("messages")


@pytest.mark.parametrize(("fault", "tokens"), [("ok", 32), ("ok:tokens=0", 0), ("ok:tokens=9", 9)])
def test_a_parameter_stands_in_for_a_setting(fault: str, tokens: int) -> None:
    """Even a parameter of 0 counts."""
    assert exchange({}, fault).stands_in("tokens", 32) == tokens
