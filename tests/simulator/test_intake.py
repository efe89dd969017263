"""What is read from a request before a dialect sees it."""

from __future__ import annotations

from typing import Any

import pytest

from llmitm.simulator.intake import check_key, model_in
from llmitm.simulator.refusals import Refused


@pytest.mark.parametrize(
    ("body", "model"), [({"model": "m"}, "m"), ({}, ""), ({"model": 3}, ""), ({"model": None}, "")]
)
def test_model_in(body: dict[str, Any], model: str) -> None:
    """A model that is no text is none, and left for the dialect to refuse."""
    assert model_in(body) == model


@pytest.mark.parametrize(
    "headers", [{"authorization": "Bearer k"}, {"x-api-key": "k"}, {"api-key": "k"}]
)
def test_right_key(headers: dict[str, str]) -> None:
    """The key is taken from any header that a dialect has for it."""
    check_key(headers, "k")


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer x"}, {"x-api-key": ""}])
def test_wrong_key(headers: dict[str, str]) -> None:
    """Another key or none is refused where one is wanted, and nothing matters where none is."""
    check_key(headers, None)
    with pytest.raises(Refused, match="API key"):
        check_key(headers, "k")
