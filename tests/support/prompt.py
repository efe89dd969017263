"""What is promised to happen within a second, on a machine that may be busy just then."""

from __future__ import annotations

import time
from collections.abc import Callable

SECOND = 1.0
_PATIENCE = 60.0
_TIMES = 8


def seconds_until(condition: Callable[[], object]) -> float:
    """How long it takes until `condition` holds."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < _PATIENCE, "it never came true"
        time.sleep(0.01)
    return time.monotonic() - begun


def within_a_second(measure: Callable[[], float]) -> None:
    """Fails where each of several times took longer: others' load is not always in the way."""
    took: list[float] = []
    while not took or took[-1] >= SECOND:
        assert len(took) < _TIMES, took
        took.append(measure())
