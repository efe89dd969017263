"""A budget for asking again, so that retries cannot turn an outage into a storm."""

from __future__ import annotations

RESERVE_SECONDS = 10.0


class RetryBudget:
    """Retries up to a `share` of the calls, and `min_per_second` however few calls there are.

    A token bucket, as in Finagle's RetryBudget: each call puts in `share` tokens, time puts in
    `min_per_second`, a retry takes one. It holds at most what `RESERVE_SECONDS` of the minimum
    are worth, or one retry, so unused budget does not pile up. O(1); times are monotonic seconds.
    """

    __slots__ = ("_tokens", "_updated", "min_per_second", "share")

    def __init__(self, share: float = 0.2, min_per_second: float = 3.0) -> None:
        self.share = share
        self.min_per_second = min_per_second
        self._tokens = self._capacity
        self._updated: float | None = None

    def deposit(self, now: float, share: float | None = None) -> None:
        """Count one call, at its first attempt; its route may have a `share` of its own."""
        self._refill(now)
        self._tokens = min(self._capacity, self._tokens + (self.share if share is None else share))

    def available(self, now: float) -> bool:
        """Whether `take` would succeed."""
        self._refill(now)
        return self._tokens >= 1.0

    def take(self, now: float) -> bool:
        """Spend one retry; False where none is left."""
        if not self.available(now):
            return False
        self._tokens -= 1.0
        return True

    @property
    def _capacity(self) -> float:
        return max(1.0, self.min_per_second * RESERVE_SECONDS)

    def _refill(self, now: float) -> None:
        if self._updated is not None and now > self._updated:
            gained = (now - self._updated) * self.min_per_second
            self._tokens = min(self._capacity, self._tokens + gained)
        self._updated = now
