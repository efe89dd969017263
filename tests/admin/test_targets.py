"""State of the targets, and what operators do to them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from llmitm.admin.targets import describe
from llmitm.call import Attempt, Target
from llmitm.config.schema import Gateway as Settings
from llmitm.metrics import Metrics
from llmitm.policy.outcome import AttemptOutcome, Failure
from llmitm.targets import Targets
from tests.support.gateway import Gateway, Starter


@pytest.fixture
def gateway(starter: Starter) -> Gateway:
    routes = [{"model": "*", "targets": [{"provider": "sim", "model": name} for name in "ab"]}]
    return starter.gateway(
        policies={"routes": {"routes": routes}}, provider_url="http://127.0.0.1:9"
    )


def listed(gateway: Gateway) -> dict[str, dict[str, Any]]:
    found = httpx.get(f"{gateway.admin_url}/admin/targets").json()["targets"]
    return {row["target"]: row for row in found}


def change(gateway: Gateway, body: Any) -> httpx.Response:
    return httpx.post(f"{gateway.admin_url}/admin/targets", json=body)


def test_lists_what_routes_name(gateway: Gateway) -> None:
    """Every target of the routes, before any call."""
    found = listed(gateway)
    assert list(found) == ["sim/a", "sim/b"]
    assert found["sim/a"] == {
        "target": "sim/a",
        "state": "closed",
        "draining": False,
        "credential_refused": False,
        "unhealthy": False,
        "in_flight": 0,
        "time_to_first_token": None,
        "failures": 0,
        "successes": 0,
        "consecutive_failures": 0,
        "last_failure_ago": None,
        "next_retry_in": None,
        "cooldown_for": None,
    }


def test_drain(gateway: Gateway) -> None:
    """A drained target is shown as such, and gets no call until it isn't any more."""
    reply = change(gateway, {"target": "sim/a", "action": "drain"})
    assert [row["draining"] for row in reply.json()["targets"]] == [True, False]
    change(gateway, {"target": "sim/a", "action": "undrain"})
    assert not listed(gateway)["sim/a"]["draining"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"target": "sim/c", "action": "drain"}, 404, "there are sim/a, sim/b"),
        ({"target": "sim/c", "action": "reset"}, 404, "sim/c"),
        ({"target": "sim/a", "action": "explode"}, 400, "explode"),
        ({"target": "sim/a"}, 400, "action"),
        ({"target": ["sim/a"], "action": "drain"}, 400, "str"),
        (["sim/a"], 400, "object"),
    ],
)
def test_mistakes(gateway: Gateway, body: Any, status: int, said: str) -> None:
    """What can't be done changes nothing and says why."""
    before = listed(gateway)
    reply = change(gateway, body)
    assert reply.status_code == status
    assert said in reply.json()["error"]
    assert listed(gateway) == before


def test_no_json(gateway: Gateway) -> None:
    """A body that is no JSON is a mistake like any other."""
    reply = httpx.post(f"{gateway.admin_url}/admin/targets", content=b"target=sim/a")
    assert reply.status_code == 400


def test_times_are_from_now() -> None:
    """A failure is so many seconds ago, the next try so many ahead."""
    settings = Settings.model_validate(
        {"providers": {"sim": {"api": "simulator"}}, "store": {"ledger": "sqlite:///:memory:"}}
    )
    targets = Targets(settings, Metrics())
    attempt = Attempt(Target("sim", "a"), 1, "a")
    for _ in range(3):
        targets.admit(attempt)
        attempt.error = "reset"
        attempt.outcome = AttemptOutcome(target="sim/a", at=0.0, failure=Failure.RESET)
        targets.record(attempt)
    [row] = describe(targets)
    assert (row["state"], row["failures"], row["consecutive_failures"]) == ("open", 3, 3)
    assert 0 <= row["last_failure_ago"] < 5
    assert 25 < row["next_retry_in"] <= 30
