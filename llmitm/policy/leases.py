"""What is held for a call until the call ends, or for at most a lease if it never does."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from math import inf
from typing import Protocol


class Lease(Protocol):
    """Something held. `expires` may be moved on, with `renewed`."""

    expires: float


class Leases[T: Lease]:
    """What is held, in the order it expires: all leases are of one length.

    Whatever is given back is forgotten at once, so it takes no memory for the rest of its lease.
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: OrderedDict[T, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    @property
    def first(self) -> float:
        """When the first expires; infinity where there is none."""
        for lease in self._held:
            return lease.expires
        return inf

    def add(self, lease: T) -> None:
        self._held[lease] = None

    def renewed(self, lease: T) -> None:
        """It expires last. Ignored where it isn't held any more."""
        if lease in self._held:
            self._held.move_to_end(lease)

    def drop(self, lease: T) -> None:
        """It was given back. Ignored where it isn't held any more."""
        self._held.pop(lease, None)

    def expired(self, now: float) -> Iterator[T]:
        """Remove and give what is still held and whose time is over."""
        while self.first <= now:
            yield self._held.popitem(last=False)[0]
