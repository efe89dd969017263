"""Budgets: the worst case is reserved before a call and settled after, so none is overshot.

Amounts are integers, billionths of a US dollar: sums are exact, and shared stores can add them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from llmitm.policy.account import SLOTS, rolling
from llmitm.policy.periods import Period, window


@dataclass(frozen=True, slots=True)
class Budget:
    """`amount` billionths of a dollar per `period` for one scope, such as ``key:dev``.

    Per window of the calendar of `zone`, or rolling where that is None. `warn_at` is the share
    that is reported when it is reached. Times are seconds since 1970.
    """

    scope: str
    amount: int
    period: Period
    zone: str | None = None
    warn_at: float | None = None
    id: str = field(init=False, compare=False)
    width: float | None = field(init=False, compare=False)
    leased: bool = field(init=False, compare=False, default=True)
    durable: bool = field(init=False, compare=False, default=True)

    def __post_init__(self) -> None:
        # Without the amount: a budget that is edited keeps what was spent of it.
        name = f"{self.scope} {self.period} {self.zone or 'rolling'}"
        object.__setattr__(self, "id", name)
        width = None if self.zone is not None else self.period.seconds / SLOTS
        object.__setattr__(self, "width", width)

    def until(self, now: float) -> float:
        """Until when spending at `now` counts."""
        if self.width is None:
            return float(window(now, self.period, self.zone or "UTC")[1])
        return rolling(now, self.width)

    def since(self, now: float) -> float:
        """From when on spending counts at `now`, or a little earlier."""
        if self.width is None:
            return float(window(now, self.period, self.zone or "UTC")[0])
        return now - self.period.seconds - self.width

    @property
    def owner(self) -> tuple[str, str | None]:
        """The kind of scope and whose: ``("key", "dev")``, ``("global", None)``."""
        kind, colon, name = self.scope.partition(":")
        return kind, name if colon else None
