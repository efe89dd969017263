"""The live state of targets: circuits, load, who is drained or out, the retry budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from llmitm.call import Attempt, Call, Target
from llmitm.config.schema import CircuitBreaker, Gateway, Policies, Route
from llmitm.engine.failure import AttemptFailed
from llmitm.metrics import Metrics
from llmitm.policy.balance import Balancer, Strategy
from llmitm.policy.breaker import Breaker, BreakerSettings, Snapshot, State, Verdict
from llmitm.policy.failover import credential_refused
from llmitm.policy.health import Health
from llmitm.policy.load import Load
from llmitm.policy.outcome import AttemptOutcome, Failure, Outcome
from llmitm.policy.retry_budget import RetryBudget

OUT_SECONDS = 60.0  # how long a target stays out whose provider refused our credential
MAX_COOLDOWN = 600.0
STATE_NUMBERS = {State.CLOSED: 0, State.OPEN: 1, State.HALF_OPEN: 2}


@dataclass(slots=True)
class Guard:
    """One target's breaker and whether it may be asked at all."""

    breaker: Breaker
    draining: bool = False
    out_until: float = 0.0

    def usable(self, now: float) -> bool:
        return not self.draining and now >= self.out_until and self.breaker.available(now)


@dataclass
class Targets:
    """Every target of this process that a route names or a call has used."""

    gateway: Gateway
    metrics: Metrics
    price: Callable[[Target, str], Decimal | None] = lambda _target, _model: None
    tell: Callable[[str, bool], None] = lambda _target, _opened: None
    base_urls: dict[str, str] = field(default_factory=dict)
    balancer: Balancer = field(default_factory=Balancer)
    retry_budget: RetryBudget = field(default_factory=RetryBudget)
    health: Health = field(default_factory=Health)
    _guards: dict[str, Guard] = field(default_factory=dict)
    _following: bool = False
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
            guard.breaker.configure(self._settings.get(name, self._default), now)
        for name in self._settings:
            self.guard(name)

    def guard(self, name: str) -> Guard:
        guard = self._guards.get(name)
        if guard is None:
            settings = self._settings.get(name, self._default)
            guard = Guard(Breaker(settings, self._count_changes(name)))
            self._guards[name] = guard
            self.metrics.begin_target(name)
        return guard

    @property
    def load(self) -> Load:
        return self.balancer.load

    def default_provider(self, dialect: str) -> str | None:
        """The provider for calls of `dialect` that name no model: the marked or first one."""
        providers = self.gateway.providers
        fitting = [n for n, p in providers.items() if p.dialect in (dialect, None)]
        marked = [n for n in fitting if providers[n].default]
        return next(iter(marked or fitting), None)

    def base_url(self, provider: str) -> str:
        """Where a provider's paths begin."""
        url = self.base_urls.get(provider)
        if url is None:
            configured = self.gateway.providers[provider]
            url = (configured.base_url or "").rstrip("/")
            if configured.dialect != "openai":
                url = url.removesuffix("/v1")
            self.base_urls[provider] = url
        return url

    def plan(self, route: Route, call: Call) -> tuple[Target, ...]:
        """The targets to ask, best first, without those that can't be asked, unless all can't."""
        now = time.monotonic()
        sticky = None
        if route.sticky and call.principal:
            sticky = call.principal.user if route.sticky == "user" else call.principal.key
        targets = [t for t in route.targets if not self.guard(t.name).draining]
        plan = self.balancer.plan(
            Strategy(route.strategy),
            targets,
            route=route.model,
            now=now,
            usable=lambda t: t.provider not in self.health.down and self.guard(t.name).usable(now),
            price=lambda t: self.price(t, t.model_for(call.model or "*")),
            sticky=sticky,
        )
        return tuple(plan or targets or route.targets)

    def admit(self, attempt: Attempt) -> None:
        """Take leave to ask the attempt's target. Raises AttemptFailed where it is refused."""
        now = time.monotonic()
        name = attempt.target.name
        guard = self.guard(name)
        admission = None
        if not guard.draining and now >= guard.out_until:
            admission = guard.breaker.admit(now)
        if admission is None:
            self.metrics["llm_circuit_breaker_requests_blocked_total"].at(name).inc()
            raise self._refusal(guard, name, now)
        if admission.probe:
            self.metrics["llm_circuit_breaker_half_open_requests_total"].at(name).inc()
        attempt.admission = admission
        attempt.probe = admission.probe
        self.load.begin(name)

    def record(self, attempt: Attempt) -> None:
        """Give the attempt's leave back and learn how it went."""
        if attempt.admission is None:
            return
        now, name = time.monotonic(), attempt.target.name
        guard = self.guard(name)
        heard = attempt.first_token or now
        answered = attempt.outcome is None and attempt.error is None
        # The first token of a whole answer comes with the last.
        if answered or attempt.first_token is not None or _silent(attempt.outcome):
            self.load.first_token(name, heard - attempt.started, now)
        if attempt.outcome is None and attempt.error is not None:
            self.withdraw(attempt)  # cancelled: it says nothing of the target
            return
        self.load.end(name)
        self._learn(guard, attempt, heard - attempt.started, now)
        attempt.admission = None

    def withdraw(self, attempt: Attempt) -> None:
        """Give the attempt's leave back, having learned nothing."""
        if attempt.admission is not None:
            self.load.end(attempt.target.name)
            self.guard(attempt.target.name).breaker.release(attempt.admission)
            attempt.admission = None

    def reset(self, name: str) -> None:
        """Close a target's circuit, let it be asked again. Raises KeyError for an unknown one."""
        guard = self._guards[name]
        guard.out_until = 0.0
        guard.breaker.reset()

    def follow(self, name: str, opened: bool) -> None:
        """Another process's circuit for this target opened, or closed: so does this one's."""
        guard = self._guards.get(name)
        if guard is None:
            return
        self._following = True
        if opened:
            guard.breaker.trip(time.monotonic())
        else:
            guard.breaker.close()
        self._following = False

    def drain(self, name: str, on: bool) -> None:
        """Send a target no new calls, or calls again. Raises KeyError for an unknown one."""
        self._guards[name].draining = on

    def snapshots(self) -> Iterator[tuple[str, Guard, Snapshot]]:
        now = time.monotonic()
        return ((name, g, g.breaker.snapshot(now)) for name, g in sorted(self._guards.items()))

    def _learn(self, guard: Guard, attempt: Attempt, seconds: float, now: float) -> None:
        name, outcome = attempt.target.name, attempt.outcome
        category = outcome.category if outcome else Outcome.SUCCESS
        verdict = guard.breaker.record(attempt.admission, category, now, seconds)
        if outcome is not None:
            if category is Outcome.RATE_LIMIT and outcome.retry_after:
                guard.breaker.cooldown(now + min(outcome.retry_after, MAX_COOLDOWN))
            if credential_refused(outcome):
                guard.out_until = now + OUT_SECONDS
                self.metrics["llmitm_upstream_auth_failures_total"].at(
                    attempt.target.provider
                ).inc()
        self._count(name, verdict, seconds)

    def _count(self, name: str, verdict: Verdict, seconds: float) -> None:
        if verdict is Verdict.IGNORED:
            return
        good = verdict is Verdict.SUCCESS
        which = "successes" if good else "failures"
        self.metrics[f"llm_circuit_breaker_{which}_total"].at(name).inc()
        if verdict is Verdict.SLOW:
            self.metrics["llm_circuit_breaker_slow_calls_total"].at(name).inc()
        self.metrics["llm_circuit_breaker_call_duration_seconds"].at(
            name, "success" if good else "failure"
        ).observe(seconds)

    def _count_changes(self, name: str) -> Callable[[State, State], None]:
        def changed(before: State, after: State) -> None:
            self.metrics["llm_circuit_breaker_state"].at(name).set(STATE_NUMBERS[after])
            self.metrics["llm_circuit_breaker_state_changes_total"].at(name, before, after).inc()
            if after is not State.HALF_OPEN and not self._following:
                self.tell(name, after is State.OPEN)

        return changed

    def _refusal(self, guard: Guard, name: str, now: float) -> AttemptFailed:
        out = guard.draining or now < guard.out_until
        failure = Failure.CIRCUIT_OPEN if out else guard.breaker.refusal(now)
        wait = None if out else guard.breaker.retry_in(now)
        outcome = AttemptOutcome(target=name, at=now, failure=failure, retry_after=wait)
        return AttemptFailed(outcome, f"{name} is not asked now: {failure.value}")


def _silent(outcome: AttemptOutcome | None) -> bool:
    return outcome is not None and outcome.category is Outcome.TIMEOUT


def _breaker_settings(policy: CircuitBreaker) -> BreakerSettings:
    return BreakerSettings(**policy.model_dump())
