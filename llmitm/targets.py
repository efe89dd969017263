"""The live state of targets: circuits, load, who is drained or out, the retry budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from llmitm.call import Attempt, Call, Target
from llmitm.circuits import Circuits, Guard, Leave
from llmitm.config.schema import Gateway, Route
from llmitm.engine.failure import AttemptFailed
from llmitm.metrics import Metrics
from llmitm.policy.balance import Balancer, Strategy
from llmitm.policy.breaker import State, Verdict
from llmitm.policy.failover import credential_refused
from llmitm.policy.health import Health
from llmitm.policy.load import Load
from llmitm.policy.outcome import AttemptOutcome, Failure, Outcome
from llmitm.policy.retry_budget import RetryBudget

OUT_SECONDS = 60.0  # how long a target stays out whose provider refused our credential
MAX_COOLDOWN = 600.0
STATE_NUMBERS = {State.CLOSED: 0, State.OPEN: 1, State.HALF_OPEN: 2}


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
    circuits: Circuits = field(init=False)
    _following: bool = False

    def __post_init__(self) -> None:
        self.circuits = Circuits(self._changed, self.metrics.begin_target)

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
        circuits, model = self.circuits, call.model or "*"
        targets = [t for t in route.targets if not circuits.draining(t, t.model_for(model))]
        plan = self.balancer.plan(
            Strategy(route.strategy),
            targets,
            route=route.model,
            now=now,
            usable=lambda t: (
                t.provider not in self.health.down and circuits.usable(t, t.model_for(model), now)
            ),
            price=lambda t: self.price(t, t.model_for(model)),
            sticky=sticky,
        )
        return tuple(plan or targets or route.targets)

    def admit(self, attempt: Attempt) -> None:
        """Take leave to ask the attempt's target. Raises AttemptFailed where it is refused."""
        now = time.monotonic()
        leave = self.circuits.admit(attempt, now)
        if leave is None:
            guard = self.circuits.refusing(attempt)
            self.metrics["llm_circuit_breaker_requests_blocked_total"].at(guard.name).inc()
            raise self._refusal(guard, attempt, now)
        if leave.admission.probe:
            name = leave.guard.name
            self.metrics["llm_circuit_breaker_half_open_requests_total"].at(name).inc()
        attempt.leave = leave
        attempt.probe = leave.admission.probe
        for name in _loaded(attempt, leave):
            self.load.begin(name)

    def record(self, attempt: Attempt) -> None:
        """Give the attempt's leave back and learn how it went."""
        leave: Leave | None = attempt.leave
        if leave is None:
            return
        now = time.monotonic()
        seconds = (attempt.first_token or now) - attempt.started
        answered = attempt.outcome is None and attempt.error is None
        # The first token of a whole answer comes with the last.
        if answered or attempt.first_token is not None or _silent(attempt.outcome):
            for name in _loaded(attempt, leave):
                self.load.first_token(name, seconds, now)
        if attempt.outcome is None and attempt.error is not None:
            self.withdraw(attempt)  # cancelled: it says nothing of the target
            return
        self._end(attempt, leave)
        self.circuits.learned(leave, self._learn(leave, attempt, seconds, now))

    def withdraw(self, attempt: Attempt) -> None:
        """Give the attempt's leave back, having learned nothing."""
        if attempt.leave is not None:
            self.circuits.release(attempt.leave)
            self._end(attempt, attempt.leave)

    def follow(self, name: str, opened: bool) -> None:
        """Another process's circuit for this target opened, or closed: so does this one's."""
        if name.partition("/")[0] in self.gateway.providers:
            self._following = True
            self.circuits.follow(name, opened)
            self._following = False

    def _end(self, attempt: Attempt, leave: Leave) -> None:
        attempt.leave = None
        for name in _loaded(attempt, leave):
            self.load.end(name)

    def _learn(self, leave: Leave, attempt: Attempt, seconds: float, now: float) -> Verdict:
        guard, outcome = leave.guard, attempt.outcome
        category = outcome.category if outcome else Outcome.SUCCESS
        verdict = guard.breaker.record(leave.admission, category, now, seconds)
        if outcome is not None:
            if category is Outcome.RATE_LIMIT and outcome.retry_after:
                guard.breaker.cooldown(now + min(outcome.retry_after, MAX_COOLDOWN))
            if credential_refused(outcome):
                guard.out_until = now + OUT_SECONDS
                self.metrics["llmitm_upstream_auth_failures_total"].at(
                    attempt.target.provider
                ).inc()
        self._count(guard.name, verdict, seconds)
        return verdict

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

    def _changed(self, name: str, before: State, after: State) -> None:
        self.metrics["llm_circuit_breaker_state"].at(name).set(STATE_NUMBERS[after])
        self.metrics["llm_circuit_breaker_state_changes_total"].at(name, before, after).inc()
        if after is not State.HALF_OPEN and not self._following:
            self.tell(name, after is State.OPEN)

    def _refusal(self, guard: Guard, attempt: Attempt, now: float) -> AttemptFailed:
        draining = self.circuits.draining(attempt.target, attempt.model)
        out = draining or now < guard.out_until
        failure = Failure.CIRCUIT_OPEN if out else guard.breaker.refusal(now)
        wait = None if out else guard.breaker.retry_in(now)
        outcome = AttemptOutcome(
            target=attempt.target.name, at=now, failure=failure, retry_after=wait
        )
        return AttemptFailed(outcome, f"{attempt.name} is not asked now: {failure.value}")


def _loaded(attempt: Attempt, leave: Leave) -> set[str]:
    """What an attempt keeps busy: the route's target, and the model that is asked of it."""
    return {attempt.target.name, leave.guard.name}


def _silent(outcome: AttemptOutcome | None) -> bool:
    return outcome is not None and outcome.category is Outcome.TIMEOUT
