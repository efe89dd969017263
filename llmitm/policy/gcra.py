"""Rate limits by the generic cell rate algorithm, in its leaky-bucket form.

Source: ATM Forum, Traffic Management 4.0, section 4.4.2, which gives the algorithm twice: as a
theoretical arrival time and as a continuously leaking bucket. They admit the same cells; the
bucket is taken here because it adds whole costs to a level, while adding fractions of a second to
a time since 1970 loses one request in a thousand of a million a minute to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

# A caller that waited exactly as long as it was told is admitted, whatever rounding made of it.
TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a limit stands. `reset` is in how many seconds it will be as good as unused."""

    limit: int
    remaining: int
    reset: float


class Meter:
    """What one limit has seen: `spent` leaks away at `rate`, `held` stays until it is settled.

    A fresh meter admits the whole limit at once. `rate` is units per second, zero for a limit on
    what is held only (concurrent calls). Times are any clock's seconds; a clock that goes back
    is taken to stand still.
    """

    __slots__ = ("at", "held", "rate", "spent")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self.spent = 0.0
        self.held = 0
        self.at = now

    def level(self, now: float) -> float:
        """What is taken of the limit at `now`."""
        if now > self.at:
            if self.spent:
                self.spent = max(0.0, self.spent - (now - self.at) * self.rate)
            self.at = now
        return self.spent + self.held

    def wait(self, limit: int, cost: int, now: float) -> float:
        """Seconds until `cost` fits; zero if it does, infinity if time alone won't make it fit.

        Held units are taken to become spent now: they may be settled for less before that.
        """
        excess = self.level(now) + cost - limit
        if excess <= 0:
            return 0.0
        if not self.rate or cost > limit:
            return inf
        wait = excess / self.rate
        return wait if wait > TOLERANCE else 0.0

    def settle(self, held: int, spent: int, now: float) -> None:
        """Turn `held` units that were taken before into `spent` ones."""
        self.level(now)
        self.held -= held
        self.spent += spent

    def refund(self, spent: int, now: float) -> None:
        """Take back what was just spent."""
        self.level(now)
        self.spent = max(0.0, self.spent - spent)

    def standing(self, limit: int, now: float) -> Standing:
        """Limit, remaining and reset as the ``x-ratelimit-*`` headers have them."""
        level = self.level(now)
        # A level that is a rounding error above a whole number has not used up the next unit.
        remaining = max(0, int(limit - level + TOLERANCE))
        return Standing(limit, remaining, level / self.rate if self.rate else 0.0)
