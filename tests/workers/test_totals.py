"""The metrics of all workers as those of one gateway."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest

from llmitm.series import Across
from llmitm.workers.channel import Family, Labels, Report, Row
from llmitm.workers.totals import ACROSS, Tally, Totals, registry_of

CALLS = Family("calls", "counter", "Calls.", "sum", (("_total", ""),))
SECONDS = Family(
    "seconds", "histogram", "Seconds.", "sum",
    (("_bucket", "1.0"), ("_bucket", "+Inf"), ("_count", ""), ("_sum", "")),
)  # fmt: skip


def gauge(across: str) -> Family:
    return Family("level", "gauge", "Level.", across, (("", ""),))


def tally(family: Family, *values: float, labels: Labels = ()) -> Tally:
    found = Tally()
    found.take(Report([family], [Row(0, labels, values)]))
    return found


def shown(totals: Totals, *running: Tally) -> list[str]:
    text = generate_latest(registry_of(totals.metrics(running))).decode()
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_counters_add_up() -> None:
    """Counters are summed by their labels; what only one worker has is shown as it is."""
    a, b = tally(CALLS, 2, labels=(("key", "a"),)), tally(CALLS, 3, labels=(("key", "a"),))
    b.take(Report(rows=[Row(0, (("key", "b"),), (5,))]))
    assert shown(Totals(), a, b) == ['calls_total{key="a"} 5.0', 'calls_total{key="b"} 5.0']


def test_histograms_add_up() -> None:
    """Histograms are summed bucket by bucket."""
    assert shown(Totals(), tally(SECONDS, 1, 2, 2, 3.5), tally(SECONDS, 0, 1, 1, 9.0)) == [
        'seconds_bucket{le="1.0"} 1.0',
        'seconds_bucket{le="+Inf"} 3.0',
        "seconds_count 3.0",
        "seconds_sum 12.5",
    ]


@pytest.mark.parametrize(
    ("across", "values", "one"),
    [
        ("sum", [2, 3, 0], 5),
        ("min", [1, 0, 1], 0),
        ("max", [1, 1, 1], 1),
        ("latest", [7, 5, 6], 6),
        ("circuit", [0, 0, 0], 0),
        ("circuit", [0, 2, 0], 2),
        ("circuit", [2, 1, 0], 1),
    ],
)
def test_gauges(across: str, values: list[float], one: float) -> None:
    """A gauge becomes one by its meaning; an open circuit is worse than a half-open one."""
    tallies = [tally(gauge(across), value) for value in values]
    assert shown(Totals(), *tallies) == [f"level {float(one)}"]


def test_every_way_is_known() -> None:
    """There is a way to put gauges together for each that the table may name, and it is told."""
    assert set(ACROSS) == set(get_args(Across))
    page = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()
    assert [name for name in ACROSS if f"| `{name}` |" not in page] == []


def test_latest_is_what_changed_last() -> None:
    """Of several values the one that changed last is shown, whichever worker's it is."""
    a, b = tally(gauge("latest"), 7), tally(gauge("latest"), 5)
    a.take(Report(rows=[Row(0, (), (6,))]))
    assert shown(Totals(), a, b) == shown(Totals(), b, a) == ["level 6.0"]


def test_the_dead_are_counted() -> None:
    """What a dead worker counted stays in the sums, and its gauges leave with it."""
    totals = Totals()
    totals.retire(tally(CALLS, 4))
    totals.retire(tally(SECONDS, 1, 1, 1, 0.5))
    totals.retire(tally(gauge("sum"), 9))
    totals.retire(Tally())
    assert shown(totals, tally(CALLS, 1))[0] == "calls_total 5.0"
    assert "seconds_count 1.0" in shown(totals)
    assert not any(line.startswith("level") for line in shown(totals))


def test_what_is_gone() -> None:
    """A label set that a worker no longer has is no longer shown."""
    found = tally(gauge("max"), 1, labels=(("key", "a"),))
    found.take(Report(gone=[(0, (("key", "a"),))]))
    assert shown(Totals(), found) == []


EVENTS = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["call", "die"])), max_size=30)


@given(EVENTS)
def test_counters_never_go_back(events: list[tuple[int, str]]) -> None:
    """However workers come and go, the sum is the number of calls, after each event."""
    totals, calls = Totals(), 0
    workers = [Tally() for _ in range(3)]
    counts = [0, 0, 0]
    for place, event in events:
        if event == "die":
            totals.retire(workers[place])
            workers[place], counts[place] = Tally(), 0
        else:
            calls += 1
            counts[place] += 1
            new = [] if workers[place].families else [CALLS]
            workers[place].take(Report(new, [Row(0, (), (counts[place],))]))
        assert sum(float(line.split()[1]) for line in shown(totals, *workers)) == calls
