"""US dollars as integers, so that no database ever rounds them.

The unit is the picodollar, 1e-12 USD: a price per million tokens with up to six decimals is
exact for every number of tokens. (Some published prices are not whole nanodollars per token.)
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

_PLACES = 12
# More than the default 28 digits, so that sums over years of calls stay exact.
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_MOST = 10**18  # a million dollars for one call; far inside 64 bits


def to_pico(usd: Decimal | None) -> int | None:
    """Picodollars, rounded half to even below that; None stays None: no price is known."""
    if usd is None:
        return None
    pico = int(usd.scaleb(_PLACES, _EXACT).to_integral_value(ROUND_HALF_EVEN, _EXACT))
    return max(-_MOST, min(pico, _MOST))


def from_pico(pico: int | Decimal) -> Decimal:
    """US dollars without trailing zeros and without an exponent."""
    usd = Decimal(int(pico)).scaleb(-_PLACES, _EXACT)
    return Decimal(f"{usd.normalize(_EXACT):f}")
