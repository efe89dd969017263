"""When a worker that died is started again."""

from __future__ import annotations

import pytest

from llmitm.workers.restarts import STEADY_SECONDS, Restarts

QUICK = 0.5


@pytest.mark.parametrize(
    ("lives", "delays"),
    [
        ([STEADY_SECONDS], [0.0]),
        ([100, 100, 100], [0.0, 0.0, 0.0]),
        ([QUICK, QUICK, QUICK], [0.25, 0.5, 1.0]),
        ([0, 0, 0, 0, 0, 0], [0.25, 0.5, 1.0, 2.0, 4.0, None]),
        ([0, 0, 100, 0], [0.25, 0.5, 0.0, 0.25]),
        ([0, 0, 0, 0, 0, 100, 0], [0.25, 0.5, 1.0, 2.0, 4.0, 0.0, 0.25]),
    ],
)
def test_delays(lives: list[float], delays: list[float | None]) -> None:
    """Starts again at once after a long life, later and later after short ones, then gives up."""
    restarts = Restarts()
    assert [restarts.after(life) for life in lives] == delays
