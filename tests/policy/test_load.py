import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.policy.load import Latency, Load


def average(load: Load) -> float:
    latency = load.latency("a")
    assert latency is not None
    return latency.value


def test_in_flight() -> None:
    """Counts calls between their begin and end, per target."""
    load = Load()
    load.begin("a")
    load.begin("a")
    load.begin("b")
    load.end("a")
    assert (load.in_flight("a"), load.in_flight("b"), load.in_flight("c")) == (1, 1, 0)


def test_end_forgets_idle_targets() -> None:
    """Keeps nothing of a target without calls, so that removed targets leave no trace."""
    load = Load()
    load.begin("a")
    load.end("a")
    assert load._in_flight == {}


def test_end_without_begin() -> None:
    """Ending what never began is a bug of the caller, not a negative count."""
    with pytest.raises(KeyError):
        Load().end("a")


def test_first_sample() -> None:
    """The first sample is the average; without one there is none."""
    load = Load()
    assert load.latency("a") is None
    load.first_token("a", 0.7, 5.0)
    assert load.latency("a") == Latency(0.7, 5.0)


def test_follows_a_slowed_target() -> None:
    """Five slow samples in a row dominate whatever was before, however fast they come."""
    load = Load()
    for _ in range(1000):
        load.first_token("a", 0.1, 0.0)
    for _ in range(5):
        load.first_token("a", 2.0, 0.0)
    assert average(load) > 1.6


def test_old_averages_fade() -> None:
    """After a long silence the new sample counts for nearly everything."""
    latency = Latency(10.0, 0.0)
    latency.add(0.2, 300.0)
    assert latency.value == pytest.approx(0.2, abs=0.01)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1))
def test_stays_between_the_samples(samples: list[tuple[float, float]]) -> None:
    """Is never outside the range of what was measured."""
    load, now = Load(), 0.0
    for seconds, pause in samples:
        now += pause
        load.first_token("a", seconds, now)
    values = [seconds for seconds, _ in samples]
    assert min(values) - 1e-9 <= average(load) <= max(values) + 1e-9
