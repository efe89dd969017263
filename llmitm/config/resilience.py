"""`policies/resilience.yaml`: retries, timeouts, circuit breaker. Times are seconds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from llmitm.config.model import Model
from llmitm.config.problems import Fault
from llmitm.config.values import Count, Duration, PositiveDuration, Share, Size

Rate = Annotated[float, Field(gt=0, le=1)]


class Retry(Model):
    """`attempts` includes the first one; `budget` is the share of traffic that may be retries.

    The backoff before retry n is drawn from 0 to min(`max`, `base` * `multiplier` ** (n - 1)).
    """

    attempts: Count = 3
    base: Duration = 0.5
    max: Duration = 8
    multiplier: Annotated[float, Field(ge=1, le=100)] = 2
    deadline: PositiveDuration = 120
    budget: Share | None = 0.2


class Timeouts(Model):
    """`first_byte` is when an answer's headers have to be there; None leaves it to the engine."""

    connect: PositiveDuration = 5
    first_token: PositiveDuration = 30
    first_byte: PositiveDuration | None = None
    between_tokens: PositiveDuration = 30
    total: PositiveDuration = 600


class CircuitBreaker(Model):
    """What opens a target's circuit. None turns a trigger off."""

    enabled: bool = True
    consecutive_failures: Count | None = 3
    failure_rate: Rate | None = 0.5
    window: PositiveDuration = 60
    min_calls: Count = 10
    slow_call: PositiveDuration | None = None
    open_for: PositiveDuration = 30
    half_open_probes: Count = 1


class Hold(Model):
    """How much of a stream's start is held for an unseen failover; None is no bound in time."""

    bytes: Size = 262_144
    seconds: PositiveDuration | None = None


class HealthCheck(Model):
    """Asking a provider for its list of models; `failures` in a row and it is left out."""

    every: PositiveDuration = 15
    timeout: PositiveDuration = 5
    failures: Count = 2


class Resilience(Model):
    """How calls survive their providers.

    `hedge_after` races the next target after so many seconds without a first token;
    `keep_alive` is the interval of SSE comments while waiting for one.
    """

    retry: Retry = Retry()
    timeouts: Timeouts = Timeouts()
    circuit_breaker: CircuitBreaker = CircuitBreaker()
    mid_stream: Literal["resume", "error"] = "resume"
    hedge_after: PositiveDuration | None = None
    keep_alive: PositiveDuration | None = 15
    failover_on_content_policy: bool = False
    hold: Hold = Hold()
    health_check: HealthCheck | None = None

    def merged(self, override: Resilience) -> Resilience:
        """This one with everything that `override` was given."""
        return Resilience.model_validate(_deep(self.given(), override.given()))


# Which section each flat key of a route belongs to; no two sections share a key.
_RECORDS: dict[str, type[Model]] = {
    "retry": Retry,
    "timeouts": Timeouts,
    "circuit_breaker": CircuitBreaker,
    "hold": Hold,
    "health_check": HealthCheck,
}
_SECTIONS = {key: name for name, record in _RECORDS.items() for key in record.model_fields}


class Override(Resilience):
    """A route's own resilience, where `{attempts: 3}` may stand for `{retry: {attempts: 3}}`."""

    @classmethod
    def yaml_keys(cls) -> dict[str, Any]:
        return {**super().yaml_keys(), **_SECTIONS}

    @model_validator(mode="before")
    @classmethod
    def _lift(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        lifted = {key: value for key, value in data.items() if key not in _SECTIONS}
        for key in data.keys() & _SECTIONS.keys():
            section = lifted.get(_SECTIONS[key]) or {}
            if not isinstance(section, dict):
                continue
            if key in section:
                raise Fault(f"{key} is given twice", f"keep it in {_SECTIONS[key]} only")
            lifted[_SECTIONS[key]] = {**section, key: data[key]}
        return lifted


def _deep(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = {**base, **over}
    for key in base.keys() & over.keys():
        if isinstance(base[key], dict) and isinstance(over[key], dict):
            merged[key] = _deep(base[key], over[key])
    return merged
