"""What a request chooses that changes its price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmitm.prices.book import Variant

_FIELD = "service_tier"


def variant_of(body: Mapping[str, Any]) -> Variant:
    """The variant that a request is priced by."""
    tier = body.get(_FIELD)
    return ((_FIELD, tier),) if isinstance(tier, str) else ()


def possible_variants(body: Mapping[str, Any]) -> tuple[Variant, ...]:
    """The variants that it may come to be priced by: the provider may serve it in another tier.

    `auto` leaves the choice to the provider; a request for a tier that has no room left is
    served in the default one.
    """
    asked = variant_of(body)
    if not asked:
        return ((),)
    return ((), asked, ((_FIELD, "priority"),)) if asked[0][1] == "auto" else ((), asked)
