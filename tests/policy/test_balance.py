import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.policy.balance import EXPLORE_SHARE, IDLE_SECONDS, Balancer, Strategy


@dataclass(frozen=True)
class Target:
    name: str
    weight: float = 1.0


A, B, C = Target("a"), Target("b"), Target("c")


def balancer(seed: int = 1) -> Balancer:
    return Balancer(rng=random.Random(seed))


def first(
    some: Balancer,
    strategy: Strategy,
    targets: Sequence[Target],
    now: float = 0.0,
    **more: Any,
) -> Target:
    return some.plan(strategy, targets, route="r", now=now, **more)[0]


def names(targets: Iterable[Target]) -> str:
    return "".join(target.name for target in targets)


@given(
    st.sampled_from(Strategy),
    st.lists(st.tuples(st.floats(0, 10), st.booleans()), max_size=6),
    st.none() | st.text(),
    st.integers(),
)
def test_a_plan_is_a_permutation_of_the_usable(
    strategy: Strategy, drawn: list[tuple[float, bool]], sticky: str | None, seed: int
) -> None:
    """Lists every usable target once and no other, whatever the strategy."""
    targets = [Target(str(i), weight) for i, (weight, _) in enumerate(drawn)]
    usable = {target for target, (_, up) in zip(targets, drawn, strict=True) if up}
    some = balancer(seed)
    for now in range(3):
        plan = some.plan(
            strategy, targets, route="r", now=now, usable=usable.__contains__, sticky=sticky
        )
        assert len(plan) == len(usable)
        assert set(plan) == usable


def test_priority() -> None:
    """The order of the route; a target that is not usable is left out."""
    some = balancer()
    assert names(some.plan(Strategy.PRIORITY, [A, B, C], route="r", now=0)) == "abc"
    plan = some.plan(Strategy.PRIORITY, [A, B, C], route="r", now=0, usable=lambda t: t != A)
    assert names(plan) == "bc"


def test_round_robin() -> None:
    """Each target in turn, per route."""
    some = balancer()
    plans = [names(some.plan(Strategy.ROUND_ROBIN, [A, B, C], route="r", now=0)) for _ in range(4)]
    assert plans == ["abc", "bca", "cab", "abc"]
    assert names(some.plan(Strategy.ROUND_ROBIN, [A, B, C], route="other", now=0)) == "abc"


def test_round_robin_shares_a_missing_target_evenly() -> None:
    """The calls of a target that is out go to all the others, not to its neighbour."""
    some = balancer()
    picks = Counter(
        first(some, Strategy.ROUND_ROBIN, [A, B, C], usable=lambda t: t != A).name
        for _ in range(100)
    )
    assert picks == {"b": 50, "c": 50}


WEIGHTS = [(1, 1), (9, 1), (5, 3, 2), (0.7, 0.2, 0.1), (97, 2, 1)]


@pytest.mark.parametrize("weights", WEIGHTS)
def test_weighted(weights: tuple[float, ...]) -> None:
    """10,000 picks fall within 2 % of each weight's share."""
    targets = [Target(str(i), weight) for i, weight in enumerate(weights)]
    some = balancer()
    picks = Counter(first(some, Strategy.WEIGHTED, targets).name for _ in range(10_000))
    for target in targets:
        share = target.weight / sum(weights) * 10_000
        assert picks[target.name] == pytest.approx(share, rel=0.02)


def test_weighted_is_smooth() -> None:
    """A small weight's calls are spread, not served in a burst."""
    some = balancer()
    heavy, light = Target("H", 3), Target("l", 1)
    picks = "".join(first(some, Strategy.WEIGHTED, [heavy, light]).name for _ in range(12))
    assert picks == "HHlH" * 3


def test_weight_zero_is_a_standby() -> None:
    """A target of weight 0 comes last, and first where it is the only one."""
    some, standby = balancer(), Target("s", 0)
    for _ in range(50):
        for strategy in (Strategy.WEIGHTED, Strategy.LEAST_BUSY):
            assert names(some.plan(strategy, [standby, A, B], route="r", now=0))[-1] == "s"
    assert first(some, Strategy.WEIGHTED, [standby, A], usable=lambda t: t == standby) == standby


def test_weighted_per_route() -> None:
    """Routes that share targets do not disturb each other's shares."""
    some = balancer()
    picks: Counter[str] = Counter()
    for _ in range(100):
        picks[some.plan(Strategy.WEIGHTED, [A, B], route="one", now=0)[0].name] += 1
        some.plan(Strategy.WEIGHTED, [A, B], route="two", now=0)
    assert picks == {"a": 50, "b": 50}


def test_least_busy() -> None:
    """Fewest calls in flight first."""
    some = balancer()
    for name in "aab":
        some.load.begin(name)
    assert names(some.plan(Strategy.LEAST_BUSY, [A, B, C], route="r", now=0)) == "cba"


def test_least_busy_counts_weights() -> None:
    """A target of twice the weight takes twice the calls."""
    some, big = balancer(), Target("B", 2)
    for _ in range(30):
        some.load.begin(first(some, Strategy.LEAST_BUSY, [A, big]).name)
    assert (some.load.in_flight("a"), some.load.in_flight("B")) == (10, 20)


def test_least_busy_spreads_equals() -> None:
    """Where all are equally busy, chance decides."""
    some = balancer()
    picks = Counter(first(some, Strategy.LEAST_BUSY, [A, B]).name for _ in range(1000))
    assert picks["a"] == pytest.approx(500, rel=0.1)


def drive(
    some: Balancer,
    strategy: Strategy,
    seconds: dict[str, float],
    calls: int,
    start: float = 0.0,
) -> list[str]:
    """Send calls to A and B, 20 a second, each of which takes its target's `seconds`."""
    picks: list[str] = []
    running: list[tuple[float, str, float]] = []
    for number in range(calls):
        now = start + number / 20
        for done in [call for call in running if call[0] <= now]:
            some.load.first_token(done[1], done[2], done[0])
            some.load.end(done[1])
            running.remove(done)
        name = first(some, strategy, [A, B], now).name
        some.load.begin(name)
        running.append((now + seconds[name], name, seconds[name]))
        picks.append(name)
    for _, name, took in running:
        some.load.first_token(name, took, start + calls / 20)
        some.load.end(name)
    return picks


@pytest.mark.parametrize("strategy", [Strategy.LEAST_BUSY, Strategy.LOWEST_LATENCY])
@pytest.mark.parametrize("seed", range(5))
def test_load_leaves_a_slowed_target(strategy: Strategy, seed: int) -> None:
    """Within 20 calls of its slowing down a target gets few of the calls, if any."""
    some = balancer(seed)
    before = drive(some, strategy, {"a": 0.1, "b": 0.1}, 200)
    assert Counter(before)["a"] > 40
    after = drive(some, strategy, {"a": 5.0, "b": 0.1}, 60, start=10.0)
    assert after[20:].count("a") <= 4


def test_lowest_latency_prefers_the_faster() -> None:
    """One call at a time, the faster target gets them all."""
    some = balancer()
    some.load.first_token("a", 0.3, 0.0)
    some.load.first_token("b", 0.2, 0.0)
    assert {first(some, Strategy.LOWEST_LATENCY, [A, B], 1.0).name for _ in range(100)} == {"b"}


def test_lowest_latency_tries_the_unknown() -> None:
    """A target nobody has measured is tried at once, by one call at a time."""
    some = balancer()
    some.load.first_token("a", 0.1, 0.0)
    assert first(some, Strategy.LOWEST_LATENCY, [A, B], 0.0) == B
    some.load.begin("b")
    assert first(some, Strategy.LOWEST_LATENCY, [A, B], 0.0) == A


def test_lowest_latency_spreads_a_burst_of_unknowns() -> None:
    """Calls that arrive before anything is known are spread."""
    some = balancer()
    for _ in range(30):
        some.load.begin(first(some, Strategy.LOWEST_LATENCY, [A, B, C]).name)
    assert [some.load.in_flight(name) for name in "abc"] == [10, 10, 10]


def test_lowest_latency_finds_a_recovered_target() -> None:
    """A slow target that was idle is asked again by a small share of the calls, and wins back."""
    some = balancer()
    some.load.first_token("a", 9.0, 0.0)
    picks = []
    for number in range(400):
        now = IDLE_SECONDS + number
        some.load.first_token("b", 0.3, now)
        picks.append(first(some, Strategy.LOWEST_LATENCY, [A, B], now).name)
    assert 0 < picks.count("a") < 400 * EXPLORE_SHARE * 2
    some.load.first_token("a", 0.1, 500.0)
    some.load.first_token("a", 0.1, 501.0)
    assert first(some, Strategy.LOWEST_LATENCY, [A, B], 502.0) == A


def test_cheapest() -> None:
    """Lowest price first, the free before the cheap, the unknown last."""
    prices = {"a": Decimal("0.3"), "b": None, "c": Decimal(0), "d": 0.1}
    targets = [Target(name) for name in "abcd"]
    plan = balancer().plan(
        Strategy.CHEAPEST, targets, route="r", now=0, price=lambda t: prices[t.name]
    )
    assert names(plan) == "cdab"


@given(st.text(), st.permutations([A, B, C]))
def test_sticky(key: str, targets: list[Target]) -> None:
    """The same key gets the same first target, in whatever order the route lists them."""
    expected = first(balancer(), Strategy.PRIORITY, [A, B, C], sticky=key)
    assert first(balancer(), Strategy.PRIORITY, targets, sticky=key) == expected


def test_sticky_moves_only_the_keys_of_a_lost_target() -> None:
    """When a target drops out, the keys of the others stay where they are."""
    some = balancer()
    for number in range(300):
        key = f"user-{number}"
        home = first(some, Strategy.ROUND_ROBIN, [A, B, C], sticky=key)
        away = first(some, Strategy.ROUND_ROBIN, [A, B, C], sticky=key, usable=lambda t: t != C)
        assert away == home or home == C


def test_sticky_follows_the_weights() -> None:
    """Keys are spread by weight, and none sticks to a standby."""
    some, targets = balancer(), [Target("a", 3), Target("b", 1), Target("s", 0)]
    picks = Counter(
        first(some, Strategy.PRIORITY, targets, sticky=str(number)).name for number in range(4000)
    )
    assert picks["a"] == pytest.approx(3000, rel=0.05)
    assert picks["s"] == 0


def test_sticky_keeps_the_rest_in_order() -> None:
    """Behind the key's own target the strategy's order stays."""
    some = balancer()
    plan = some.plan(Strategy.PRIORITY, [A, B, C], route="r", now=0, sticky="x")
    assert names(plan[1:]) == names([t for t in (A, B, C) if t != plan[0]])
