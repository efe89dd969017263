"""The live state of targets: who may be asked, in which order, and what is learned of them."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from llmitm.call import Attempt, Call, Principal, Target
from llmitm.config.schema import Gateway, Policies, Resilience, Route
from llmitm.engine.failure import AttemptFailed
from llmitm.metrics import Metrics
from llmitm.policy.outcome import AttemptOutcome, Failure
from llmitm.targets import Targets

A, B, ANY = Target("one", "a"), Target("two", "b"), Target("two")
PROVIDERS: dict[str, Any] = {
    "one": {"api": "openai", "base_url": "http://127.0.0.1:9/v1/"},
    "two": {"api": "openai", "base_url": "http://127.0.0.1:9/v1", "default": True},
    "claude": {"api": "anthropic", "base_url": "http://127.0.0.1:9/v1"},
    "sim": {"api": "simulator", "base_url": "http://127.0.0.1:9"},
}
BREAKER = {"circuit_breaker": {"consecutive_failures": 1, "open_for": 600}}


def targets_of(*routes: Route, **resilience: Any) -> Targets:
    gateway = Gateway.model_validate(
        {"providers": PROVIDERS, "store": {"ledger": "sqlite:///:memory:"}}
    )
    targets = Targets(gateway, Metrics())
    merged = Resilience.model_validate({**BREAKER, **resilience})
    routes = tuple(Route(r.model, r.targets, r.strategy, merged, r.sticky) for r in routes)
    targets.circuits.apply(Policies(routes=routes, resilience=merged))
    return targets


def attempt(targets: Targets, target: Target, **outcome: Any) -> Attempt:
    """An attempt that is over, with this outcome, or well where none is given."""
    made = Attempt(target, 1, target.model_for("m"))
    targets.admit(made)
    if outcome:
        made.outcome = AttemptOutcome(target=target.name, at=0.0, **outcome)
        made.error = "failed"
    targets.record(made)
    return made


def call(model: str = "m", **who: Any) -> Call:
    made = Call("req_1", "openai", "chat", "/v1/chat/completions", model=model)
    made.principal = Principal(**who) if who else None
    return made


def names(plan: tuple[Target, ...]) -> list[str]:
    return [target.name for target in plan]


BOTH = Route("m", (A, B))


def test_providers_that_are_down() -> None:
    """Targets whose provider fails its health checks are left out, unless none is left."""
    targets = targets_of(BOTH)
    targets.health.learn("one", False, 1)
    assert names(targets.plan(BOTH, call())) == ["two/b"]
    targets.health.learn("two", False, 1)
    assert names(targets.plan(BOTH, call())) == ["one/a", "two/b"]


def test_plan() -> None:
    """Targets that can't be asked are left out, unless none can."""
    targets = targets_of(BOTH)
    assert names(targets.plan(BOTH, call())) == ["one/a", "two/b"]
    attempt(targets, A, failure=Failure.RESET)
    assert names(targets.plan(BOTH, call()))[0] == "two/b"
    targets.circuits.drain("two/b", True)
    assert names(targets.plan(BOTH, call())) == ["one/a"]
    targets.circuits.drain("one/a", True)
    assert names(targets.plan(BOTH, call())) == ["one/a", "two/b"]


def test_cheapest() -> None:
    """The price of the model that each target would be sent decides; an unknown one comes last."""
    route = Route("m*", (A, B, ANY), "cheapest")
    targets = targets_of(route)
    prices = {("one", "a"): Decimal(5), ("two", "m1"): Decimal(1)}
    targets.price = lambda target, model: prices.get((target.provider, model))
    assert names(targets.plan(route, call("m1"))) == ["two/*", "one/a", "two/b"]
    assert names(targets.plan(route, call("m2"))) == ["one/a", "two/b", "two/*"]


@pytest.mark.parametrize("sticky", ["key", "user"])
def test_sticky(sticky: Any) -> None:
    """Calls of one key, or one user, begin at the same target."""
    route = Route("m", (A, B), "round_robin", sticky=sticky)
    targets = targets_of(route)
    firsts = {
        who: {
            targets.plan(route, call(key=f"{who}{'' if sticky == 'key' else n}", user=who))[0].name
            for n in range(6)
        }
        for who in map(str, range(20))
    }
    assert all(len(found) == 1 for found in firsts.values())
    assert len({next(iter(found)) for found in firsts.values()}) == 2


def test_a_refused_attempt() -> None:
    """An open circuit says when to come back; a drained target and a refused key don't."""
    targets = targets_of(BOTH)
    attempt(targets, A, failure=Failure.RESET)
    with pytest.raises(AttemptFailed) as caught:
        attempt(targets, A)
    assert caught.value.outcome.failure is Failure.CIRCUIT_OPEN
    assert 590 < (caught.value.outcome.retry_after or 0) <= 600
    targets.circuits.drain("two/b", True)
    with pytest.raises(AttemptFailed) as caught:
        attempt(targets, B)
    assert caught.value.outcome.retry_after is None


@pytest.mark.parametrize("status", [401, 402, 403])
def test_refused_credentials(status: int) -> None:
    """A target whose provider refuses our key is out until it is reset."""
    targets = targets_of(BOTH)
    attempt(targets, A, status=status)
    with pytest.raises(AttemptFailed):
        attempt(targets, A)
    assert names(targets.plan(BOTH, call()))[0] == "two/b"
    targets.circuits.reset("one/a")
    attempt(targets, A)


def test_rate_limits_are_a_pause() -> None:
    """A 429 that says for how long is a cooldown, not a failure."""
    targets = targets_of(BOTH)
    attempt(targets, A, status=429, retry_after=30.0)
    with pytest.raises(AttemptFailed) as caught:
        attempt(targets, A)
    assert caught.value.outcome.failure is Failure.COOLDOWN
    assert targets.circuits.guard("one/a").breaker.snapshot(0.0).failure_count == 0


def test_cancelled_attempts_teach_nothing() -> None:
    """What the client broke off gives back what it took and says nothing of the target."""
    targets = targets_of(BOTH)
    made = Attempt(A, 1, "a")
    targets.admit(made)
    made.error = "cancelled"
    assert targets.load.in_flight("one/a") == 1
    targets.record(made)
    targets.record(made)
    assert targets.load.in_flight("one/a") == 0
    assert targets.circuits.guard("one/a").breaker.snapshot(0.0).success_count == 0


def test_new_policies_keep_what_was_counted() -> None:
    """An edit of the policies closes no circuit and forgets no target."""
    targets = targets_of(BOTH)
    attempt(targets, A, failure=Failure.RESET)
    targets.circuits.apply(Policies(routes=(Route("n", (B,)),)))
    states = {name: shot.state for name, _, shot in targets.circuits.snapshots()}
    assert states == {"one/a": "open", "two/b": "closed"}


def test_following_others() -> None:
    """What another process says is taken over, and not told back."""
    targets = targets_of(BOTH)
    told: list[tuple[str, bool]] = []
    targets.tell = lambda name, opened: told.append((name, opened))
    targets.follow("one/a", True)
    targets.follow("never/heard", True)
    with pytest.raises(AttemptFailed):
        attempt(targets, A)
    targets.follow("one/a", False)
    attempt(targets, A)
    assert told == []
    attempt(targets, A, failure=Failure.RESET)
    assert told == [("one/a", True)]


@pytest.mark.parametrize("change", ["reset", "drain"])
def test_unknown_targets(change: str) -> None:
    """An operator's mistake is told."""
    circuits = targets_of(BOTH).circuits
    wanted = circuits.reset if change == "reset" else partial(circuits.drain, on=True)
    with pytest.raises(KeyError):
        wanted("no/such")


@pytest.mark.parametrize(
    ("provider", "url"),
    [
        ("one", "http://127.0.0.1:9/v1"),
        ("claude", "http://127.0.0.1:9"),
        ("sim", "http://127.0.0.1:9"),
    ],
)
def test_base_url(provider: str, url: str) -> None:
    """OpenAI's base URLs have the version in them, the others' don't, however they are written."""
    assert targets_of().base_url(provider) == url


@pytest.mark.parametrize(
    ("dialect", "provider"), [("openai", "two"), ("anthropic", "claude"), ("ollama", "sim")]
)
def test_default_provider(dialect: str, provider: str) -> None:
    """The marked provider of the dialect, else the first that speaks it."""
    assert targets_of().default_provider(dialect) == provider
