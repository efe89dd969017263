"""The order in which a call tries its route's targets."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from hashlib import blake2b
from typing import Protocol

from llmitm.policy.load import Load

IDLE_SECONDS = 30.0
EXPLORE_SHARE = 0.05


class Weighted(Protocol):
    """A target; one of weight 0 is asked only where nothing else is left."""

    @property
    def name(self) -> str: ...

    @property
    def weight(self) -> float: ...


class Strategy(StrEnum):
    PRIORITY = "priority"
    WEIGHTED = "weighted"
    ROUND_ROBIN = "round_robin"
    LEAST_BUSY = "least_busy"
    LOWEST_LATENCY = "lowest_latency"
    CHEAPEST = "cheapest"


@dataclass(slots=True)
class Balancer:
    """Orders targets for one process. `load` is fed by whoever sends the calls."""

    rng: random.Random = field(default_factory=random.Random)
    load: Load = field(default_factory=Load)
    _turns: dict[str, int] = field(default_factory=dict)
    _credits: dict[str, dict[str, float]] = field(default_factory=dict)

    def plan[T: Weighted](
        self,
        strategy: Strategy,
        targets: Sequence[T],
        *,
        route: str,
        now: float,
        usable: Callable[[T], bool] = lambda _: True,
        price: Callable[[T], float | Decimal | None] = lambda _: None,
        sticky: str | None = None,
    ) -> list[T]:
        """The usable targets of `route`, in the order to try them.

        `price` is what cheapest compares, None for unknown. With `sticky`, a key's or user's id,
        the same target comes first for the same id, as long as it is usable: providers cache
        prompts. `now` is monotonic seconds.
        """
        candidates = [target for target in targets if usable(target)]
        if len(candidates) < 2:
            return candidates
        match strategy:
            case Strategy.PRIORITY:
                order = candidates
            case Strategy.WEIGHTED:
                order = self._weighted(candidates, route)
            case Strategy.ROUND_ROBIN:
                order = self._round_robin(candidates, route)
            case Strategy.LEAST_BUSY:
                order = self._least_busy(candidates)
            case Strategy.LOWEST_LATENCY:
                order = self._lowest_latency(candidates, now)
            case Strategy.CHEAPEST:
                order = _cheapest(candidates, price)
        return order if sticky is None else _first(_rendezvous(candidates, sticky), order)

    def _weighted[T: Weighted](self, targets: list[T], route: str) -> list[T]:
        """Smooth weighted round robin, as nginx does it: exact shares and no bursts.

        Every target earns its weight, the richest is picked and pays for the round.
        """
        credit = self._credits.setdefault(route, {})
        for target in targets:
            credit[target.name] = credit.get(target.name, 0.0) + target.weight
        order = sorted(targets, key=lambda t: (t.weight > 0, credit[t.name]), reverse=True)
        credit[order[0].name] -= sum(target.weight for target in targets)
        return order

    def _round_robin[T: Weighted](self, targets: list[T], route: str) -> list[T]:
        turn = self._turns.get(route, 0)
        self._turns[route] = turn + 1
        start = turn % len(targets)
        return targets[start:] + targets[:start]

    def _least_busy[T: Weighted](self, targets: list[T]) -> list[T]:
        """Fewest calls in flight for their weight; chance decides between equals."""

        def busy(target: T) -> tuple[float, float]:
            calls = self.load.in_flight(target.name) + 1
            return calls / target.weight if target.weight else math.inf, self.rng.random()

        return sorted(targets, key=busy)

    def _lowest_latency[T: Weighted](self, targets: list[T], now: float) -> list[T]:
        """Lowest time to first token, counting the calls that already wait (peak EWMA).

        A target nobody has measured is tried at once, but by one call at a time. One that was
        not measured for `IDLE_SECONDS` may have recovered: a small share of calls finds out.
        """

        def cost(target: T) -> tuple[float, int]:
            latency, waiting = self.load.latency(target.name), self.load.in_flight(target.name)
            if latency is None:
                return math.inf if waiting else 0.0, waiting
            idle = not waiting and now - latency.at >= IDLE_SECONDS
            if idle and self.rng.random() < EXPLORE_SHARE:
                return 0.0, waiting
            return latency.value * (waiting + 1), waiting

        return sorted(targets, key=cost)


def _cheapest[T: Weighted](
    targets: list[T], price: Callable[[T], float | Decimal | None]
) -> list[T]:
    """Lowest price first; targets without a known price come last."""

    def known(target: T) -> tuple[bool, float | Decimal]:
        amount = price(target)
        return amount is None, 0 if amount is None else amount

    return sorted(targets, key=known)


def _rendezvous[T: Weighted](targets: list[T], key: str) -> T:
    """The target that `key` sticks to: weighted rendezvous hashing.

    Same in every process, and when a target comes or goes only its own keys move.
    """

    def score(target: T) -> float:
        text = f"{key}\0{target.name}".encode()
        number = int.from_bytes(blake2b(text, digest_size=6).digest())
        return -target.weight / math.log((number + 0.5) / 2**48)

    return max(targets, key=score)


def _first[T: Weighted](first: T, order: list[T]) -> list[T]:
    return [first, *(target for target in order if target is not first)]
