"""Series: exact labels while there is room, less exact ones after, never more than the bound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from llmitm.series import MAX_NAME, OTHER, Names, Reading, Series, Spec

CALLS = Spec("calls_total", "counter", "Calls.", ("route", "key"))
STATE = Spec("state", "gauge", "State.", ("target",))
SECONDS = Spec("seconds", "histogram", "Seconds.", ("target",), (1.0, 2.0))


class Registry(CollectorRegistry):
    def lines(self) -> dict[tuple[str, ...], float]:
        """The samples by their labels' values, those of histograms but for the counts left out."""
        return {
            tuple(sample.labels.values()): sample.value
            for family in self.collect()
            for sample in family.samples
            if not sample.name.endswith(("_bucket", "_sum", "_created"))
        }


def series(spec: Spec, max_samples: int) -> tuple[Series, Registry, list[None]]:
    registry, folded = Registry(), list[None]()
    return Series(spec, registry, max_samples, lambda: folded.append(None)), registry, folded


def test_exact_while_there_is_room() -> None:
    """Label sets are counted exactly while there is room."""
    calls, registry, folded = series(CALLS, 100)
    for key in ("a", "b", "a"):
        calls.at("gpt", key).inc()
    assert registry.lines() == {("gpt", "a"): 2, ("gpt", "b"): 1}
    assert folded == []


def test_keys_are_given_up_first() -> None:
    """When a metric's room runs out, keys become "other" before routes do, and the sum stays."""
    calls, registry, folded = series(CALLS, 101)
    for number in range(10_000):
        calls.at(f"route-{number % 3}", f"key-{number}").inc()
    lines = registry.lines()
    assert len(lines) == 75 + 3
    assert {route for route, key in lines if key == OTHER} == {"route-0", "route-1", "route-2"}
    assert sum(lines.values()) == 10_000
    assert len(folded) == 10_000 - 75


def test_known_label_sets_stay_exact() -> None:
    """What got a series of its own keeps it, however many others come."""
    calls, registry, _ = series(CALLS, 20)
    calls.at("gpt", "mine").inc()
    for number in range(100):
        calls.at(f"route-{number}", f"key-{number}").inc()
    calls.at("gpt", "mine").inc()
    assert registry.lines()["gpt", "mine"] == 2


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=300))
def test_never_past_the_bound(pairs: list[tuple[int, int]]) -> None:
    """Whatever comes, the label sets stay within the bound and none is lost from the sum."""
    calls, registry, _ = series(CALLS, 16)
    for route, key in pairs:
        calls.at(str(route), str(key)).inc()
    assert len(registry.lines()) <= 16
    assert sum(registry.lines().values()) == len(pairs)


def test_histograms_have_room_for_fewer() -> None:
    """The bound is on samples: a histogram has one for each bucket, +Inf, sum and count."""
    seconds, registry, _ = series(SECONDS, 50)
    for number in range(1000):
        seconds.at(f"target-{number}").observe(1.5)
    samples = [sample for family in registry.collect() for sample in family.samples]
    assert len(samples) == 50
    assert sum(registry.lines().values()) == 1000


def test_gauges_are_not_mixed() -> None:
    """Past the bound a gauge's values are left out: one series can't hold those of several."""
    state, registry, folded = series(STATE, 4)
    for number in range(10):
        state.at(f"target-{number}").set(number)
    assert registry.lines() == {("target-0",): 0, ("target-1",): 1, ("target-2",): 2}
    assert len(folded) == 7


def test_cached_children_are_bounded() -> None:
    """What is remembered of label sets is as bounded as the series are."""
    calls, _, _ = series(CALLS, 20)
    for number in range(1000):
        calls.at(f"route-{number}", f"key-{number}").inc()
    assert len(calls._children) <= 20


@pytest.mark.parametrize("kind", ["counter", "gauge"])
def test_reading(kind: str) -> None:
    """A reading asks for its values at each scrape, and shows no more of them than fit."""
    values: dict[tuple[str, ...], float] = {("a",): 1.0}
    registry = Registry()
    spec = Spec("things_total", kind, "Things.", ("name",))  # type: ignore[arg-type]
    reading: Collector = Reading(spec, lambda: values, 3)
    registry.register(reading)
    assert registry.lines() == {("a",): 1}
    values.update({(name,): 2.0 for name in "abcdef"})
    assert registry.lines() == {("a",): 2, ("b",): 2, ("c",): 2}


def test_names_are_those_that_proved_real() -> None:
    """A client's name becomes a label value once something answered to it, while there is room."""
    names = Names(2)
    assert not names.knows("invented", real=False)
    assert names.knows("gpt-4o", real=True)
    assert names.knows("gpt-4o", real=False)
    assert not names.knows("x" * (MAX_NAME + 1), real=True)
    assert names.knows("o3", real=True)
    assert not names.knows("one-too-many", real=True)
