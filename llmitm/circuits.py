"""The circuit of every target, and who may be asked at all.

A target that passes any model on (``openai/*``) has a circuit for each model that was asked of it,
so that one that fails takes no other with it. Those come from clients: one that nothing was learned
of is forgotten, and past `MAX_OWN` the models of a provider share one circuit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from llmitm.call import Attempt, Target
from llmitm.config.schema import CircuitBreaker, Policies
from llmitm.policy.breaker import Admission, Breaker, BreakerSettings, Snapshot, State, Verdict

MAX_OWN = 500

Changed = Callable[[str, State, State], None]


@dataclass(slots=True, eq=False)
class Guard:
    """One circuit's breaker and whether its target may be asked at all."""

    name: str
    breaker: Breaker
    draining: bool = False
    out_until: float = 0.0
    learned: bool = False  # something was counted
    running: int = 0  # attempts that hold a leave

    def usable(self, now: float) -> bool:
        return not self.draining and now >= self.out_until and self.breaker.available(now)


@dataclass(slots=True, eq=False)
class Leave:
    """Leave to ask a target once, and the circuit it is given back to."""

    guard: Guard
    admission: Admission


@dataclass
class Circuits:
    """Every target that a route names, and every model that was asked of one.

    `changed` is told of each change of state, `begun` of each circuit that begins to count.
    """

    changed: Changed
    begun: Callable[[str], None]
    _guards: dict[str, Guard] = field(default_factory=dict)
    _settings: dict[str, BreakerSettings] = field(default_factory=dict)
    _default: BreakerSettings = field(default_factory=BreakerSettings)

    def apply(self, policies: Policies) -> None:
        """Go by new policies; what the breakers have counted stays."""
        now = time.monotonic()
        self._default = _breaker_settings(policies.resilience.circuit_breaker)
        self._settings = {
            target.name: _breaker_settings(route.resilience.circuit_breaker)
            for route in policies.routes
            for target in route.targets
        }
        for name, guard in self._guards.items():
            guard.breaker.configure(self._settings_of(name), now)
        for name in self._settings:
            self._begin(self.guard(name))

    def guard(self, name: str) -> Guard:
        """The circuit of ``provider/model``, or the one that it shares."""
        guard = self._known(name)
        if guard is None:
            everything = _everything(name)
            if name != everything and len(self._guards) >= MAX_OWN:
                return self.guard(everything)
            breaker = Breaker(
                self._settings_of(name), lambda before, after: self.changed(name, before, after)
            )
            guard = self._guards[name] = Guard(name, breaker)
        return guard

    def draining(self, target: Target, model: str) -> bool:
        """Whether no new calls are sent there: neither of the target's nor of this model."""
        own = self._guards.get(f"{target.provider}/{model}")
        if own is not None and own.draining:
            return True
        everything = self._guards.get(target.name)
        return everything is not None and everything.draining

    def usable(self, target: Target, model: str, now: float) -> bool:
        """Whether `target` would be asked for this model."""
        guard = self._known(f"{target.provider}/{model}")
        return not self.draining(target, model) and (guard is None or guard.usable(now))

    def admit(self, attempt: Attempt, now: float) -> Leave | None:
        """Leave to ask the attempt's target, None where it is not asked now."""
        if self.draining(attempt.target, attempt.model):
            return None
        guard = self.guard(attempt.name)
        if now < guard.out_until:
            return None
        admission = guard.breaker.admit(now)
        if admission is None:
            return None
        guard.running += 1
        return Leave(guard, admission)

    def refusing(self, attempt: Attempt) -> Guard:
        """What an attempt that got no leave was refused by: its circuit, or its target's."""
        return self._known(attempt.name) or self.guard(attempt.target.name)

    def learned(self, leave: Leave, verdict: Verdict) -> None:
        """The leave came back with a result: begin to count, or forget what nobody speaks of."""
        leave.guard.running -= 1
        if verdict is not Verdict.IGNORED:
            self._begin(leave.guard)
        self._forget(leave.guard)

    def release(self, leave: Leave) -> None:
        """The leave came back, and nothing was learned."""
        leave.guard.breaker.release(leave.admission)
        leave.guard.running -= 1
        self._forget(leave.guard)

    def follow(self, name: str, opened: bool) -> None:
        """Another process's circuit opened, or closed: so does this one's."""
        guard = self.guard(name)
        if opened:
            guard.breaker.trip(time.monotonic())
        else:
            guard.breaker.close()
            self._forget(guard)

    def reset(self, name: str) -> None:
        """Close a circuit, let its target be asked again. Raises KeyError for an unknown one.

        Of ``provider/*`` this resets the circuits of all its models.
        """
        self._guards[name]
        for guard in self._of(name):
            guard.out_until = 0.0
            guard.breaker.reset()

    def drain(self, name: str, on: bool) -> None:
        """Send a target no new calls, or calls again. Raises KeyError for an unknown one."""
        self._guards[name].draining = on

    def of(self, target: Target, model: str | None = None) -> list[Guard]:
        """The circuits of a target for one model, or for all that were asked of it."""
        if model is not None:
            return [self.guard(f"{target.provider}/{target.model_for(model)}")]
        everything, *own = self._of(target.name)
        return own or [everything]

    def by_target(self) -> dict[str, list[Guard]]:
        """The circuits of every target by its name, all models of ``provider/*`` under that."""
        found: dict[str, list[Guard]] = {}
        for name, guard in sorted(self._guards.items()):
            known = name if name in self._settings else _everything(name)
            found.setdefault(known, []).append(guard)
        return {
            target: [g for g in guards if g.name != target] or guards
            for target, guards in found.items()
        }

    def snapshots(self) -> Iterator[tuple[str, Guard, Snapshot]]:
        now = time.monotonic()
        return ((name, g, g.breaker.snapshot(now)) for name, g in sorted(self._guards.items()))

    def _known(self, name: str) -> Guard | None:
        """The circuit that a target has or shares; None where it would get a new one."""
        guard = self._guards.get(name)
        if guard is None and len(self._guards) >= MAX_OWN:
            guard = self._guards.get(_everything(name))
        return guard

    def _of(self, name: str) -> list[Guard]:
        if name != _everything(name):
            return [self.guard(name)]
        start = name.removesuffix("*")
        own = (guard for known, guard in self._guards.items() if known not in self._settings)
        return [self.guard(name), *(g for g in own if g.name.startswith(start) and g.name != name)]

    def _settings_of(self, name: str) -> BreakerSettings:
        return self._settings.get(name) or self._settings.get(_everything(name)) or self._default

    def _begin(self, guard: Guard) -> None:
        if not guard.learned:
            guard.learned = True
            self.begun(guard.name)

    def _forget(self, guard: Guard) -> None:
        held = guard.learned or guard.running or guard.draining or guard.out_until
        if not held and guard.breaker.available(0.0):  # nor does it pause
            self._guards.pop(guard.name, None)


def _everything(name: str) -> str:
    return f"{name.partition('/')[0]}/*"


def _breaker_settings(policy: CircuitBreaker) -> BreakerSettings:
    return BreakerSettings(**policy.model_dump())
