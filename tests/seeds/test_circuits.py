from __future__ import annotations

import re
import time
from dataclasses import replace

import pytest

from llmitm.policy.breaker import Snapshot, State
from llmitm.seeds.circuits import combined, timestamp, workers
from tests.seeds.live import live, loaded

CLOSED = Snapshot(State.CLOSED, 3, 1, 0, None, None, None, 0, False)
OPEN = Snapshot(State.OPEN, 0, 2, 2, 100.0, 130.0, None, 0, False)
HALF_OPEN = replace(OPEN, state=State.HALF_OPEN)


@pytest.mark.parametrize(
    ("shots", "expected"),
    [
        ([], "closed"),
        ([CLOSED], "closed"),
        ([OPEN], "open"),
        ([HALF_OPEN, OPEN], "half_open"),
        ([OPEN, CLOSED, HALF_OPEN], "closed"),
    ],
)
def test_the_healthiest_target_decides(shots: list[Snapshot], expected: str) -> None:
    """A model can be had as long as one of its targets can."""
    assert combined(shots)["circuit_breaker_state"] == expected


def test_counts_and_times() -> None:
    """Counts add up; the last failure is the latest, the next retry the soonest."""
    later = replace(OPEN, last_failure=160.0, next_retry_at=190.0)
    told = combined([CLOSED, OPEN, later])
    assert (told["failure_count"], told["success_count"]) == (5, 3)
    assert told["last_failure"] == combined([later])["last_failure"]
    assert told["next_retry_at"] == combined([OPEN])["next_retry_at"]


def test_wall_clock() -> None:
    """Times are those of a calendar, as RFC 3339 writes them."""
    assert timestamp(1704110400.9) == "2024-01-01T12:00:00Z"
    shot = replace(OPEN, last_failure=time.monotonic())
    said = combined([shot])["last_failure"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", said)
    assert timestamp(time.time() - 2) <= said <= timestamp(time.time() + 2)


def test_workers() -> None:
    """Every target is a worker, with its circuit and its load."""
    targets = live(loaded(WORKER_ADDRESSES="a:1,b:2")).targets
    targets.circuits.guard("worker-1/*").breaker.force_open(time.monotonic())
    told = workers(targets)
    assert [worker["worker_id"] for worker in told] == ["worker-0", "worker-1"]
    assert [worker["healthy"] for worker in told] == [True, False]
    assert [worker["circuit_breaker_state"] for worker in told] == ["closed", "open"]
    assert told[0]["in_flight"] == 0
