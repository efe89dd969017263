"""What this process knows about how busy and how fast its targets are."""

from __future__ import annotations

import math
from dataclasses import dataclass

SHARE = 0.3
FADE_SECONDS = 30.0


@dataclass(slots=True)
class Latency:
    """Exponentially weighted average of a target's time to first token, in seconds.

    Each sample weighs at least `SHARE`, so that a slowed target shows within a few calls, and
    more the older the average is: after a few `FADE_SECONDS` of silence it is the sample itself.
    """

    value: float
    at: float

    def add(self, seconds: float, now: float) -> None:
        share = max(SHARE, 1.0 - math.exp((self.at - now) / FADE_SECONDS))
        self.value += share * (seconds - self.value)
        self.at = now


class Load:
    """Calls in flight and latency per target name, counted by one process for itself.

    Each `begin` is followed by exactly one `end`, whatever happened in between.
    """

    __slots__ = ("_in_flight", "_latency")

    def __init__(self) -> None:
        self._in_flight: dict[str, int] = {}
        self._latency: dict[str, Latency] = {}

    def begin(self, target: str) -> None:
        self._in_flight[target] = self._in_flight.get(target, 0) + 1

    def first_token(self, target: str, seconds: float, now: float) -> None:
        """Learn a time to first token. A call that gave up waiting reports how long it waited."""
        latency = self._latency.get(target)
        if latency is None:
            self._latency[target] = Latency(seconds, now)
        else:
            latency.add(seconds, now)

    def end(self, target: str) -> None:
        left = self._in_flight[target] - 1
        if left:
            self._in_flight[target] = left
        else:
            del self._in_flight[target]

    def in_flight(self, target: str) -> int:
        return self._in_flight.get(target, 0)

    def latency(self, target: str) -> Latency | None:
        return self._latency.get(target)
