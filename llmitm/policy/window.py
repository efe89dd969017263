"""Successes and failures over a sliding window."""

from __future__ import annotations

from collections import deque

SLOTS = 10


class Window:
    """Counts over about the last `seconds`, in `SLOTS` slots of equal width.

    Slots rather than single events, because memory and the cost of expiry then do not grow
    with traffic: a target with a thousand calls a second would keep 60,000 timestamps for a
    minute. The price is precision: the window ends on a slot's edge, so it reaches back
    between ``seconds * (1 - 1 / SLOTS)`` and `seconds`. O(1) amortised; `now` never goes back.
    """

    __slots__ = ("_bad", "_end", "_ok", "_past", "_past_bad", "_past_ok", "_seconds", "_start")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.clear()

    def clear(self) -> None:
        self._start = self._end = float("-inf")
        self._ok = self._bad = 0
        self._past: deque[tuple[float, int, int]] = deque()  # start, successes, failures
        self._past_ok = self._past_bad = 0

    def add(self, now: float, failed: bool) -> None:
        if now >= self._end:
            self._roll(now)
        if failed:
            self._bad += 1
        else:
            self._ok += 1

    def counts(self, now: float) -> tuple[int, int]:
        """Successes and failures in the window that ends `now`."""
        if now >= self._end:
            self._roll(now)
        return self._past_ok + self._ok, self._past_bad + self._bad

    def resize(self, seconds: float, now: float) -> None:
        """Change the window's length and keep what still lies inside it."""
        self._seconds = seconds
        self._roll(now)

    def _roll(self, now: float) -> None:
        """Put the current slot with the past ones, start the slot of `now`, drop what expired."""
        if self._ok or self._bad:
            self._past.append((self._start, self._ok, self._bad))
            self._past_ok += self._ok
            self._past_bad += self._bad
            self._ok = self._bad = 0
        width = self._seconds / SLOTS
        self._start = now // width * width
        self._end = self._start + width
        while self._past and self._past[0][0] <= self._start - self._seconds:
            _, ok, bad = self._past.popleft()
            self._past_ok -= ok
            self._past_bad -= bad
