"""What is held for a call until the call ends, or for at most a lease if it never does."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count
from math import inf
from typing import Protocol


class Lease(Protocol):
    """Something held. `expires` may be moved on; `open` is false once it was given back."""

    expires: float
    open: bool


class Leases[T: Lease]:
    """Open leases by the time they expire."""

    __slots__ = ("_heap", "_number")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._number = count()

    @property
    def first(self) -> float:
        """When the first may expire; infinity where there is none."""
        return self._heap[0][0] if self._heap else inf

    def add(self, lease: T) -> None:
        heapq.heappush(self._heap, (lease.expires, next(self._number), lease))

    def expired(self, now: float) -> Iterator[T]:
        """Remove and give the leases that are still open and whose time is over."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            lease = heapq.heappop(heap)[2]
            if lease.open and lease.expires > now:
                self.add(lease)  # was renewed
            elif lease.open:
                yield lease
