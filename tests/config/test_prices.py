from __future__ import annotations

from decimal import Decimal

from llmitm.config.prices import PricesFile
from llmitm.config.validate import validate
from tests.config.configuration import Parse


def test_prices_are_exact(parse: Parse) -> None:
    """A price is the decimal that was written, not the nearest binary fraction."""
    document = parse(
        "prices:\n"
        "  - {provider: p, model: 'm-*', input_per_million: 0.1, output_per_million: 0.30,\n"
        "     cached_input_per_million: 1e-1, reasoning_per_million: 3}\n"
    )
    file = validate(PricesFile, document)
    assert file is not None
    (price,) = file.prices
    assert (price.input_per_million, price.output_per_million) == (Decimal("0.1"), Decimal("0.30"))
    assert (price.cached_input_per_million, price.reasoning_per_million) == (
        Decimal("0.1"),
        Decimal(3),
    )
    assert price.cache_write_per_million is None
