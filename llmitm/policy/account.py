"""What was used of one allowance: amounts, each of which counts until a time of its own.

A rolling window is cut into slots, and a slot counts until the last of it is out of the window.
So the window is never shorter than its period, and longer by a hundred-and-twentieth at most.
Within any period no more than the whole amount is given out, at whatever pace calls come; a
bucket that refills meanwhile (GCRA) gives out up to twice as much.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from math import inf
from typing import Protocol

from msgspec import Struct

SLOTS = 120  # of a rolling window


class Allowance(Protocol):
    """So much of something, for one scope: a limit or a budget.

    `width` is the length in seconds of a rolling window's slots, None where there are none.
    What a `leased` one gave out comes back after a lease; what was used of a `durable` one
    has to be known from the ledger before more is given out.
    """

    @property
    def id(self) -> str: ...
    @property
    def amount(self) -> int: ...
    @property
    def width(self) -> float | None: ...
    @property
    def leased(self) -> bool: ...
    @property
    def durable(self) -> bool: ...

    def until(self, now: float) -> float:
        """Until when something counts that is used `now`: infinity where only settling ends it."""


class Level(Struct, frozen=True, gc=False):
    """Where an account stands: what counts, what of it is only reserved, until when any counts.

    There is one for every limit of every call; a struct is made in less than half the time of a
    tuple with names, and the garbage collector need not look at it.
    """

    spent: int
    held: int
    until: float


class Account:
    """The slots of one allowance, by the time until which they count."""

    __slots__ = ("_amounts", "_untils", "first", "held", "last", "restored", "spent")

    def __init__(self) -> None:
        self._untils: list[float] = []
        self._amounts: list[int] = []
        self.first = inf  # when the oldest slot no longer counts
        self.last = 0.0  # when the newest one no longer does
        self.spent = 0
        self.held = 0
        self.restored = False

    def roll(self, now: float) -> None:
        """Forget the slots that no longer count."""
        if self.first > now:
            return
        gone = bisect_right(self._untils, now)
        self.spent -= sum(self._amounts[:gone])
        del self._untils[:gone], self._amounts[:gone]
        self._bound()

    def book(self, until: float, amount: int) -> Level:
        """Count `amount`, which may be negative, until a time."""
        if amount:
            self.spent += amount
            if until == self.last:  # as nearly always
                self._amounts[-1] += amount
            else:
                self._insert(until, amount)
        return Level(self.spent, self.held, self.last)

    def free_at(self, needed: int) -> float:
        """When so much will no longer count; infinity where that is never."""
        freed = 0
        for until, amount in zip(self._untils, self._amounts, strict=True):
            freed += amount
            if freed >= needed:
                return until
        return inf

    def level(self) -> Level:
        return Level(self.spent, self.held, self.last)

    def _insert(self, until: float, amount: int) -> None:
        index = bisect_left(self._untils, until)
        if index < len(self._untils) and self._untils[index] == until:
            self._amounts[index] += amount
            return
        self._untils.insert(index, until)
        self._amounts.insert(index, amount)
        self._bound()

    def _bound(self) -> None:
        untils = self._untils
        self.first, self.last = (untils[0], untils[-1]) if untils else (inf, 0.0)


def rolling(now: float, width: float) -> float:
    """Until when something counts that is used `now`, in a rolling window of such slots."""
    return (int(now / width) + SLOTS + 1) * width
