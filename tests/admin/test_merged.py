"""What several workers say of the same thing, as one answer."""

from __future__ import annotations

from typing import Any

import pytest

from llmitm.admin.merged import readiness, targets

ROW: dict[str, Any] = {
    "target": "sim/a",
    "state": "closed",
    "draining": False,
    "credential_refused": False,
    "unhealthy": False,
    "in_flight": 1,
    "time_to_first_token": 0.2,
    "failures": 2,
    "successes": 10,
    "consecutive_failures": 0,
    "last_failure_ago": 4.0,
    "next_retry_in": None,
    "cooldown_for": None,
}


def merged(**other: Any) -> dict[str, Any]:
    [row] = targets([{"targets": [ROW]}, {"targets": [{**ROW, **other}]}])["targets"]
    return dict(row)


@pytest.mark.parametrize(
    ("field", "other", "one"),
    [
        ("state", "half_open", "half_open"),
        ("state", "open", "open"),
        ("state", "closed", "closed"),
        ("draining", True, True),
        ("credential_refused", True, True),
        ("unhealthy", True, True),
        ("in_flight", 3, 4),
        ("time_to_first_token", 0.5, 0.5),
        ("time_to_first_token", None, 0.2),
        ("failures", 1, 3),
        ("successes", 5, 15),
        ("consecutive_failures", 2, 2),
        ("last_failure_ago", 1.5, 1.5),
        ("last_failure_ago", None, 4.0),
        ("next_retry_in", 9.0, 9.0),
        ("next_retry_in", None, None),
        ("cooldown_for", 2.0, 2.0),
    ],
)
def test_a_target(field: str, other: object, one: object) -> None:
    """Counts are summed, and of states the worst one is shown."""
    assert merged(**{field: other})[field] == one


def test_every_field_stays() -> None:
    """One answer has the fields that one worker's has, new ones included."""
    assert list(merged()) == list(ROW)
    [row] = targets([{"targets": [{**ROW, "note": "x"}]}, {"targets": [ROW]}])["targets"]
    assert row["note"] == "x"


def test_targets_of_some_workers() -> None:
    """A target that only one worker knows of is in the list too, by name."""
    other = {**ROW, "target": "sim/0"}
    rows = targets([{"targets": [ROW]}, {"targets": [other, ROW]}])["targets"]
    assert [(row["target"], row["in_flight"]) for row in rows] == [("sim/0", 1), ("sim/a", 2)]


@pytest.mark.parametrize(
    ("details", "one"),
    [
        ([], {"workers": "0 of 2 ready"}),
        ([{"ledger": "ok"}], {"workers": "1 of 2 ready", "ledger": "ok"}),
        ([{"ledger": "ok"}, {"ledger": "down"}], {"workers": "2 of 2 ready", "ledger": "down"}),
        ([{"ledger": "down"}, {"ledger": "ok"}], {"workers": "2 of 2 ready", "ledger": "down"}),
    ],
)
def test_readiness(details: list[dict[str, str]], one: dict[str, str]) -> None:
    """Whatever isn't well in some worker is said."""
    assert readiness([{"detail": detail} for detail in details], 2) == one
