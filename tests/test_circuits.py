"""Circuits: one for every target, and one for every model of a target that passes any on."""

from __future__ import annotations

import time

import pytest

from llmitm.call import Attempt, Target
from llmitm.circuits import MAX_OWN, Circuits, Leave
from llmitm.config.schema import Policies, Resilience, Route
from llmitm.policy.breaker import State, Verdict
from llmitm.policy.outcome import Outcome

ONE, ANY = Target("one", "a"), Target("two")
RESILIENCE = Resilience.model_validate(
    {"circuit_breaker": {"consecutive_failures": 1, "open_for": 600}}
)


class Told:
    """Circuits, and what they said."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, State]] = []
        self.begun: list[str] = []
        self.circuits = Circuits(lambda name, _, to: self.changes.append((name, to)), self._begin)
        route = Route("*", (ONE, ANY), resilience=RESILIENCE)
        self.circuits.apply(Policies(routes=(route,), resilience=RESILIENCE))
        self.begun.clear()

    def _begin(self, name: str) -> None:
        self.begun.append(name)

    def ask(self, model: str, outcome: Outcome, target: Target = ANY) -> None:
        leave = self.leave(model, target)
        assert leave is not None
        verdict = leave.guard.breaker.record(leave.admission, outcome, time.monotonic(), 0.0)
        self.circuits.learned(leave, verdict)

    def leave(self, model: str, target: Target = ANY) -> Leave | None:
        return self.circuits.admit(Attempt(target, 1, model), time.monotonic())

    def usable(self, model: str) -> bool:
        return self.circuits.usable(ANY, model, time.monotonic())

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.circuits.snapshots()]


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_model_fails_alone(told: Told) -> None:
    """The circuit of one model opens; the provider's other models are asked as before."""
    told.ask("good", Outcome.SUCCESS)
    told.ask("bad", Outcome.SERVER_ERROR)
    assert told.changes == [("two/bad", State.OPEN)]
    assert (told.usable("good"), told.usable("bad"), told.usable("new")) == (True, False, True)
    assert told.leave("bad") is None
    assert told.leave("good") is not None


def test_names_of_which_nothing_was_learned(told: Told) -> None:
    """What only a client speaks of is forgotten, once its last attempt is over."""
    leaves = [told.leave("nonsense") for _ in range(2)]
    for leave in leaves:
        assert leave is not None
        assert "two/nonsense" in told.names
        told.circuits.release(leave)
    told.ask("nothing", Outcome.CLIENT_ERROR)
    assert told.names == ["one/a", "two/*"]
    assert told.begun == []
    told.ask("real", Outcome.SUCCESS)
    assert (told.names, told.begun) == (["one/a", "two/*", "two/real"], ["two/real"])


def test_names_that_a_drained_target_was_asked_for(told: Told) -> None:
    """What is refused because its target is drained gets no circuit to be refused by."""
    told.circuits.drain("two/*", True)
    refused = Attempt(ANY, 1, "nonsense")
    assert told.circuits.admit(refused, time.monotonic()) is None
    assert told.circuits.refusing(refused).name == "two/*"
    assert told.names == ["one/a", "two/*"]


def test_a_pause_is_remembered(told: Told) -> None:
    """A model that asked for a pause keeps its circuit, though nothing was counted."""
    leave = told.leave("busy")
    assert leave is not None
    leave.guard.breaker.cooldown(time.monotonic() + 600)
    told.circuits.learned(leave, Verdict.IGNORED)
    assert not told.usable("busy")


def test_no_more_circuits_than_there_is_room_for(told: Told) -> None:
    """Past the bound models share their provider's circuit."""
    for number in range(MAX_OWN + 5):
        told.ask(f"m{number}", Outcome.SUCCESS)
    assert len(told.names) == MAX_OWN
    told.ask("late", Outcome.SERVER_ERROR)
    assert told.changes == [("two/*", State.OPEN)]
    assert not told.usable("later")
    assert told.usable("m0")


def test_draining_and_resetting_all_models(told: Told) -> None:
    """What is done to `provider/*` is done to all its models, and to no other target."""
    told.ask("bad", Outcome.SERVER_ERROR)
    told.ask("a", Outcome.SERVER_ERROR, ONE)
    told.circuits.reset("two/*")
    assert told.usable("bad")
    assert not told.circuits.usable(ONE, "a", time.monotonic())
    told.circuits.drain("two/*", True)
    assert (told.usable("bad"), told.leave("other")) == (False, None)
    told.circuits.drain("two/*", False)
    told.circuits.drain("two/bad", True)
    assert (told.usable("bad"), told.usable("other")) == (False, True)


def test_circuits_of_a_target(told: Told) -> None:
    """A target is as its models are; one that was asked for none, as itself."""
    circuits = told.circuits
    assert [guard.name for guard in circuits.of(ANY)] == ["two/*"]
    told.ask("good", Outcome.SUCCESS)
    told.ask("bad", Outcome.SERVER_ERROR)
    assert [guard.name for guard in circuits.of(ANY)] == ["two/good", "two/bad"]
    assert [guard.name for guard in circuits.of(ANY, "bad")] == ["two/bad"]
    assert [guard.name for guard in circuits.of(ONE, "bad")] == ["one/a"]
    named = {target: [g.name for g in guards] for target, guards in circuits.by_target().items()}
    assert named == {"one/a": ["one/a"], "two/*": ["two/bad", "two/good"]}


def test_following(told: Told) -> None:
    """Another process's open circuit is one here, and gone with the word that it closed."""
    told.circuits.follow("two/bad", True)
    assert not told.usable("bad")
    told.circuits.follow("two/bad", False)
    assert told.usable("bad")
    assert told.names == ["one/a", "two/*"]
