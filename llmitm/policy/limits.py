"""Admission against all of a call's limits at once: every one has room, or nothing is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

from llmitm.policy.gcra import Meter, Standing
from llmitm.policy.leases import Leases

LEASE = 900.0  # seconds: longer than any call's total timeout
SWEEP = 1024  # meters before idle ones are looked for


class Kind(StrEnum):
    """What a limit counts. Requests are spent, tokens held then spent, concurrent calls held."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    CONCURRENT = "concurrent"


# Module names are looked up in half the time that members of an enumeration take.
REQUESTS, TOKENS, CONCURRENT = Kind


@dataclass(frozen=True, slots=True)
class Limit:
    """`amount` units of `kind` per `period` seconds for one scope, such as ``key:dev``."""

    scope: str
    kind: Kind
    amount: int
    period: float = 60.0
    id: str = field(init=False, compare=False)
    rate: float = field(init=False, compare=False)

    def __post_init__(self) -> None:
        # Without the amount: a limit that is edited keeps what was used of it.
        object.__setattr__(self, "id", f"{self.scope} {self.kind} {self.period:g}")
        leaks = self.kind is not CONCURRENT
        object.__setattr__(self, "rate", self.amount / self.period if leaks else 0.0)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The limit that has no room, the slowest to get it where there are several.

    `retry_after` is seconds, None where waiting promises nothing: a full set of concurrent
    calls, or a call larger than the limit (`too_large`).
    """

    scope: str
    kind: Kind
    limit: int
    remaining: int
    reset: float
    retry_after: float | None
    too_large: bool


@dataclass(slots=True, eq=False)
class Admission:
    """What one call took: settle or cancel it once, whatever came of the call."""

    limits: Sequence[Limit]
    meters: list[Meter]
    tokens: int
    expires: float
    open: bool = True


class Limits:
    """The meters of all limits, in memory. Nothing here awaits, so each call is atomic.

    `lease` is how many seconds a call may hold what it took if it is never settled.
    `now` is `time.monotonic()` throughout.
    """

    def __init__(self, lease: float = LEASE) -> None:
        self._lease = lease
        self._meters: dict[str, Meter] = {}
        self._leases: Leases[Admission] = Leases()
        self._sweep_at = SWEEP

    def admit(self, limits: Sequence[Limit], tokens: int, now: float) -> Admission | Refusal:
        """Take one request, one concurrent call and `tokens` tokens from `limits`, or nothing."""
        self._expire(now)
        meters = []
        longest, slowest = 0.0, None
        for limit in limits:
            meter = self._meter(limit, now)
            wait = meter.wait(limit.amount, tokens if limit.kind is TOKENS else 1, now)
            if wait > longest:
                longest, slowest = wait, limit
            meters.append(meter)
        if slowest is not None:
            return self._refusal(slowest, tokens, longest, now)
        for limit, meter in zip(limits, meters, strict=True):
            if limit.kind is REQUESTS:
                meter.spent += 1
            else:
                meter.held += tokens if limit.kind is TOKENS else 1
        admission = Admission(limits, meters, tokens, now + self._lease)
        self._leases.add(admission)
        return admission

    def settle(self, admission: Admission, tokens: int, now: float) -> None:
        """The call is over and used `tokens` tokens. Does nothing the second time."""
        if not admission.open:
            return
        admission.open = False
        for limit, meter in zip(admission.limits, admission.meters, strict=True):
            if limit.kind is TOKENS:
                meter.settle(admission.tokens, tokens, now)
            elif limit.kind is CONCURRENT:
                meter.settle(1, 0, now)

    def cancel(self, admission: Admission, now: float) -> None:
        """The call was not made after all: give back everything, the request too."""
        if not admission.open:
            return
        self.settle(admission, 0, now)
        for limit, meter in zip(admission.limits, admission.meters, strict=True):
            if limit.kind is REQUESTS:
                meter.refund(1, now)

    def renew(self, admission: Admission, now: float) -> None:
        """The call is still running: it may hold what it holds for another lease."""
        admission.expires = now + self._lease

    def standing(self, limits: Sequence[Limit], now: float) -> dict[Kind, Standing]:
        """For each kind the limit with the least remaining, as the reply's headers say it."""
        self._expire(now)
        least: dict[Kind, Standing] = {}
        for limit in limits:
            standing = self._meter(limit, now).standing(limit.amount, now)
            known = least.get(limit.kind)
            if known is None or standing.remaining < known.remaining:
                least[limit.kind] = standing
        return least

    def _refusal(self, limit: Limit, tokens: int, wait: float, now: float) -> Refusal:
        standing = self._meter(limit, now).standing(limit.amount, now)
        return Refusal(
            limit.scope,
            limit.kind,
            standing.limit,
            standing.remaining,
            standing.reset,
            retry_after=None if wait == inf else wait,
            too_large=limit.amount < (tokens if limit.kind is TOKENS else 1),
        )

    def _expire(self, now: float) -> None:
        # What an unsettled call used is unknown: its tokens count as reserved.
        for admission in self._leases.expired(now):
            self.settle(admission, admission.tokens, now)

    def _meter(self, limit: Limit, now: float) -> Meter:
        meter = self._meters.get(limit.id)
        if meter is None:
            if len(self._meters) >= self._sweep_at:
                self._sweep(now)
            meter = self._meters[limit.id] = Meter(limit.rate, now)
        meter.rate = limit.rate  # it may have been edited
        return meter

    def _sweep(self, now: float) -> None:
        """Forget meters at rest; those touched at `now` may be part of an admission."""
        rested = [
            name for name, meter in self._meters.items() if meter.at < now and not meter.level(now)
        ]
        for name in rested:
            del self._meters[name]
        self._sweep_at = max(SWEEP, 2 * len(self._meters))
