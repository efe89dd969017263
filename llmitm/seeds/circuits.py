"""What the seeds say about circuits: states, counts and wall-clock times."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime

from llmitm.policy.breaker import Snapshot, State
from llmitm.seeds.endpoint import Json
from llmitm.targets import Targets

# Of several targets the healthiest decides: it is the one that calls go to.
_BEST_FIRST = (State.CLOSED, State.HALF_OPEN, State.OPEN)


def combined(shots: Iterable[Snapshot]) -> Json:
    """The circuits of all targets of a model as if they were one."""
    listed = list(shots)
    states = {shot.state for shot in listed}
    return {
        "circuit_breaker_state": next((s for s in _BEST_FIRST if s in states), State.CLOSED),
        "failure_count": sum(shot.failure_count for shot in listed),
        "success_count": sum(shot.success_count for shot in listed),
        "last_failure": _latest(shot.last_failure for shot in listed),
        "next_retry_at": _soonest(shot.next_retry_at for shot in listed),
    }


def workers(targets: Targets) -> list[Json]:
    """Every target with its state, as the list of workers."""
    now = time.monotonic()
    return [
        {
            "worker_id": name.partition("/")[0],
            "model": name.partition("/")[2],
            "healthy": any(guard.usable(now) for guard in guards),
            **combined(guard.breaker.snapshot(now) for guard in guards),
            "in_flight": targets.load.in_flight(name),
        }
        for name, guards in targets.circuits.by_target().items()
    ]


def _latest(moments: Iterable[float | None]) -> str | None:
    return _wall(max((m for m in moments if m is not None), default=None))


def _soonest(moments: Iterable[float | None]) -> str | None:
    return _wall(min((m for m in moments if m is not None), default=None))


def _wall(moment: float | None) -> str | None:
    """A monotonic time as UTC, RFC 3339."""
    if moment is None:
        return None
    return timestamp(time.time() - time.monotonic() + moment)


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as the seeds write them: 2024-01-01T12:00:00Z."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
