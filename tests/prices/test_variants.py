"""What a request chooses that changes its price."""

from __future__ import annotations

from typing import Any

import pytest

from llmitm.prices import possible_variants, variant_of


def tier(name: str) -> tuple[tuple[str, str], ...]:
    return (("service_tier", name),)


@pytest.mark.parametrize(
    ("body", "variant", "possible"),
    [
        ({}, (), {()}),
        ({"service_tier": None}, (), {()}),
        ({"service_tier": 5}, (), {()}),
        ({"service_tier": "flex"}, tier("flex"), {(), tier("flex")}),
        ({"service_tier": "priority"}, tier("priority"), {(), tier("priority")}),
        ({"service_tier": "auto"}, tier("auto"), {(), tier("auto"), tier("priority")}),
    ],
)
def test_service_tier(body: Any, variant: Any, possible: set[Any]) -> None:
    """A tier is priced as asked, and may be served as another, which a budget must cover."""
    assert variant_of(body) == variant
    assert set(possible_variants(body)) == possible
