"""What several workers say of the same thing, as one answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

_STATES = ("closed", "half_open", "open")  # from good to bad


def _worst(states: Sequence[str]) -> str:
    return max(states, key=_STATES.index)


# How the fields of a target become one; None, which means unknown, is left out before.
_TARGET: dict[str, Callable[[Sequence[Any]], Any]] = {
    "state": _worst,
    "draining": any,
    "credential_refused": any,
    "unhealthy": any,
    "in_flight": sum,
    "time_to_first_token": max,
    "failures": sum,
    "successes": sum,
    "consecutive_failures": max,
    "last_failure_ago": min,
    "next_retry_in": max,
    "cooldown_for": max,
}


def targets(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The answers of GET /admin/targets: counts are summed, of states the worst counts."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for answer in answers:
        for row in answer["targets"]:
            rows.setdefault(row["target"], []).append(row)
    return {"targets": [_one(name, found) for name, found in sorted(rows.items())]}


def _one(name: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {"target": name}
    for field in rows[0]:
        known = [row[field] for row in rows if row.get(field) is not None]
        if field != "target":
            merged[field] = _TARGET.get(field, _first)(known) if known else None
    return merged


def readiness(answers: Sequence[dict[str, Any]], workers: int) -> dict[str, str]:
    """The detail of /readyz: how many workers are ready, and for each part whatever isn't ok."""
    detail = {"workers": f"{len(answers)} of {workers} ready"}
    for answer in answers:
        for part, state in answer["detail"].items():
            if detail.get(part, "ok") == "ok":
                detail[part] = state
    return detail


def _first(values: Sequence[Any]) -> Any:
    return values[0]
