"""Rate limits: how much of what a scope may use in a rolling window, or at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

from llmitm.policy.account import SLOTS, Level, rolling
from llmitm.policy.accounts import Shortage

MINUTE, DAY = 60.0, 86_400.0


class Kind(StrEnum):
    """What a limit counts."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    CONCURRENT = "concurrent"


# Module names are looked up in half the time that members of an enumeration take.
REQUESTS, TOKENS, CONCURRENT = Kind


@dataclass(frozen=True, slots=True)
class Limit:
    """`amount` units of `kind` per `period` seconds for one scope, such as ``key:dev``.

    A call that finds no room may queue for `wait` seconds.
    """

    scope: str
    kind: Kind
    amount: int
    period: float = MINUTE
    wait: float = 0.0
    id: str = field(init=False, compare=False)
    width: float | None = field(init=False, compare=False)
    leased: bool = field(init=False, compare=False)
    durable: bool = field(init=False, compare=False, default=False)

    def __post_init__(self) -> None:
        rolls = self.kind is not CONCURRENT
        # Without the amount: a limit that is edited keeps what was used of it.
        object.__setattr__(self, "id", f"{self.scope} {self.kind} {self.period:g}")
        object.__setattr__(self, "width", self.period / SLOTS if rolls else None)
        object.__setattr__(self, "leased", not rolls)

    def until(self, now: float) -> float:
        return inf if self.width is None else rolling(now, self.width)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a limit stands. `reset` is in how many seconds it will be as good as unused."""

    limit: int
    remaining: int
    reset: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call's refusal by `limit`.

    `retry_after` is seconds, None where waiting promises nothing: a full set of concurrent
    calls, or a call larger than the limit (`too_large`).
    """

    limit: Limit
    remaining: int
    retry_after: float | None
    too_large: bool


def costs(limits: Sequence[Limit], tokens: int) -> list[int]:
    """What a call takes of each limit that may use so many tokens."""
    return [tokens if limit.kind is TOKENS else 1 for limit in limits]


def used(limits: Sequence[Limit], tokens: int) -> list[int]:
    """What a call that is over has used of each limit."""
    return [
        tokens if limit.kind is TOKENS else 0 if limit.kind is CONCURRENT else 1 for limit in limits
    ]


def refusal(limits: Sequence[Limit], shortage: Shortage) -> Refusal:
    """A shortage in the words of limits."""
    return Refusal(
        limit=limits[shortage.position],
        remaining=shortage.remaining,
        retry_after=None if shortage.at == inf else shortage.at - shortage.now,
        too_large=shortage.cost > shortage.allowance.amount,
    )


def standings(limits: Sequence[Limit], levels: Sequence[Level], now: float) -> dict[Kind, Standing]:
    """For each kind the limit with the least remaining, as the reply's headers say it."""
    least: dict[Kind, Standing] = {}
    for limit, level in zip(limits, levels, strict=True):
        remaining = max(0, limit.amount - level.spent)
        known = least.get(limit.kind)
        if known is None or remaining < known.remaining:
            reset = level.until - now if level.spent > 0 else 0.0
            least[limit.kind] = Standing(limit.amount, remaining, reset)
    return least
