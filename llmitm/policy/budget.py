"""Budgets: the worst case is reserved before a call and settled after, so none is overshot.

Amounts are integers, billionths of a US dollar: sums are exact, and shared stores can add them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from llmitm.policy.leases import Leases
from llmitm.policy.periods import Period, window

LEASE = 900.0  # seconds: longer than any call's total timeout
SLOTS = 60  # of a rolling window


@dataclass(frozen=True, slots=True)
class Budget:
    """`nano_usd` per `period` for one scope, such as ``key:dev``.

    Per window of the calendar of `zone`, or rolling where that is None.
    """

    scope: str
    nano_usd: int
    period: Period
    zone: str | None = None
    id: str = field(init=False, compare=False)
    _width: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        # Without the amount: a budget that is edited keeps what was spent of it.
        name = f"{self.scope} {self.period} {self.zone or 'rolling'}"
        object.__setattr__(self, "id", name)
        object.__setattr__(self, "_width", self.period.seconds // SLOTS)

    def slot(self, now: float) -> tuple[int, int]:
        """Where spending at `now` is booked, and until when it counts; seconds since 1970.

        A rolling window has slots, and a slot counts until the last of it is out of the window,
        so the window is never shorter than the period, and longer by a sixtieth at most.
        """
        if self.zone is not None:
            return window(now, self.period, self.zone)
        start = int(now // self._width) * self._width
        return start, start + self._width * (SLOTS + 1)


@dataclass(frozen=True, slots=True)
class BudgetStanding:
    """Where a budget stands, in billionths of a dollar, reservations included.

    `reset` is when the first of what is spent no longer counts, seconds since 1970; None where
    nothing is spent.
    """

    limit: int
    spent: int
    remaining: int
    reset: int | None


@dataclass(frozen=True, slots=True)
class Exhausted:
    """The budget that has no room for a call, the one that has it last where there are several.

    `retry_at` is when there will be, seconds since 1970; None where the call costs more than
    the whole budget.
    """

    budget: Budget
    needed: int
    remaining: int
    retry_at: int | None


@dataclass(slots=True)
class Slot:
    """An amount that counts until a time."""

    start: int
    until: int
    amount: int


class Account:
    """What was booked against one budget: at most a few slots, ascending."""

    __slots__ = ("slots", "spent")

    def __init__(self) -> None:
        self.slots: list[Slot] = []
        self.spent = 0

    def roll(self, now: float) -> None:
        """Forget the slots that no longer count."""
        while self.slots and self.slots[0].until <= now:
            self.spent -= self.slots.pop(0).amount

    def book(self, start: int, until: int, amount: int) -> None:
        """Book `amount`, which may be negative, in the slot that starts at `start`."""
        self.spent += amount
        index = bisect_left(self.slots, start, key=_start)
        if index < len(self.slots) and self.slots[index].start == start:
            self.slots[index].amount += amount
        else:
            self.slots.insert(index, Slot(start, until, amount))

    def free_at(self, needed: int) -> int | None:
        """When so much will no longer count; None where it isn't there to be freed."""
        freed = 0
        for slot in self.slots:
            freed += slot.amount
            if freed >= needed:
                return slot.until
        return None


@dataclass(slots=True, eq=False)
class Reservation:
    """What one call reserved of its budgets: settle it once, whatever came of the call."""

    budgets: Sequence[Budget]
    nano_usd: int
    at: float
    expires: float
    open: bool = True


class Budgets:
    """The accounts of all budgets, in memory. Nothing here awaits, so each call is atomic.

    `now` is seconds since 1970 throughout. `lease` is how many seconds a call may hold what it
    reserved if it is never settled.
    """

    def __init__(self, lease: float = LEASE) -> None:
        self._lease = lease
        self._accounts: dict[str, Account] = {}
        self._leases: Leases[Reservation] = Leases()

    def reserve(
        self, budgets: Sequence[Budget], nano_usd: int, now: float
    ) -> Reservation | Exhausted:
        """Reserve the worst case of a call in every budget, or in none."""
        self._expire(now)
        refusals = [
            refusal
            for budget in budgets
            if (refusal := self._refusal(budget, nano_usd, now)) is not None
        ]
        if refusals:
            return max(refusals, key=_retry_at)
        for budget in budgets:
            self._account(budget, now).book(*budget.slot(now), nano_usd)
        reservation = Reservation(budgets, nano_usd, now, now + self._lease)
        self._leases.add(reservation)
        return reservation

    def settle(self, reservation: Reservation, nano_usd: int, now: float) -> None:
        """The call is over and cost so much, nothing if it wasn't made. Does nothing twice.

        The cost is booked where it was reserved: at the time of the call's start, as the ledger
        has it, so that a call over midnight is yesterday's.
        """
        if reservation.open:
            reservation.open = False
            self._correct(reservation, nano_usd, now)

    def book(self, budget: Budget, nano_usd: int, at: float, now: float) -> None:
        """Count what was spent `at` a time, such as the ledger's calls after a restart."""
        start, until = budget.slot(at)
        account = self._account(budget, now)
        if until > now:
            account.book(start, until, nano_usd)

    def restore(self, budget: Budget, spent: Iterable[tuple[float, int]], now: float) -> None:
        """Start over with what the ledger says: times and amounts of what was spent."""
        self._accounts.pop(budget.id, None)
        for at, nano_usd in spent:
            self.book(budget, nano_usd, at, now)

    def renew(self, reservation: Reservation, now: float) -> None:
        """The call is still running: it may hold what it reserved for another lease."""
        reservation.expires = now + self._lease

    def standing(self, budget: Budget, now: float) -> BudgetStanding:
        """Where `budget` stands."""
        self._expire(now)
        account = self._account(budget, now)
        return BudgetStanding(
            budget.nano_usd,
            account.spent,
            max(0, budget.nano_usd - account.spent),
            account.free_at(1),
        )

    def _refusal(self, budget: Budget, nano_usd: int, now: float) -> Exhausted | None:
        account = self._account(budget, now)
        remaining = max(0, budget.nano_usd - account.spent)
        if nano_usd <= remaining:
            return None
        too_dear = nano_usd > budget.nano_usd
        excess = account.spent + nano_usd - budget.nano_usd
        return Exhausted(budget, nano_usd, remaining, None if too_dear else account.free_at(excess))

    def _account(self, budget: Budget, now: float) -> Account:
        account = self._accounts.get(budget.id)
        if account is None:
            account = self._accounts[budget.id] = Account()
        account.roll(now)
        return account

    def _correct(self, reservation: Reservation, nano_usd: int, now: float) -> None:
        difference = nano_usd - reservation.nano_usd
        reservation.nano_usd = nano_usd
        for budget in reservation.budgets:
            self.book(budget, difference, reservation.at, now)

    def _expire(self, now: float) -> None:
        # It stays open: should the call be settled later, its cost is still booked.
        for reservation in self._leases.expired(now):
            self._correct(reservation, 0, now)


def _start(slot: Slot) -> int:
    return slot.start


def _retry_at(refusal: Exhausted) -> float:
    return float("inf") if refusal.retry_at is None else refusal.retry_at
