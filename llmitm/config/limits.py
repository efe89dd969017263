"""`policies/limits.yaml`, and the limits and budgets that every scope can have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from llmitm.config.model import Model
from llmitm.config.secret import OptionalSecret
from llmitm.config.values import Count, Glob, Money, PositiveDuration, Timezone

Period = Literal["hour", "day", "week", "month"]


class Limits(Model):
    """What one scope may use; None is no limit.

    `wait` is how many seconds a call may queue for an allowance instead of being refused.
    """

    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    tokens_per_day: Count | None = None
    concurrent: Count | None = None
    wait: PositiveDuration | None = None

    def over(self, default: Limits) -> Limits:
        """These limits, completed from `default` where they say nothing."""
        return Limits.model_validate({**default.given(), **self.given()})


class Budget(Model):
    """US dollars per period: rolling, or by the calendar of a time zone.

    `warn_at` is the share that is reported when it is reached.
    """

    usd: Money
    per: Period
    calendar: Timezone | None = None
    warn_at: Annotated[float, Field(gt=0, le=1)] | None = 0.8


class Scope(Model):
    """Limits and budgets of something."""

    limits: Limits = Limits()
    budgets: tuple[Budget, ...] = ()


class ModelScope(Scope):
    """One allowance, shared by all calls for a model that matches."""

    model: Glob


class RouteScope(Scope):
    """One allowance, shared by all calls of the route with this `model`."""

    route: str


class LimitPolicy(Model):
    """`global` is for all calls together; `key`, `user` and `team` are for each that has no own.

    A call with a budget that states no maximum is sent with `default_max_output`, in tokens:
    what it may cost at most has to be known. `webhook` is where budget warnings are posted.
    """

    global_: Scope = Field(default=Scope(), alias="global")
    models: tuple[ModelScope, ...] = ()
    routes: tuple[RouteScope, ...] = ()
    key: Scope = Scope()
    user: Scope = Scope()
    team: Scope = Scope()
    default_max_output: Count = 16_384
    webhook: OptionalSecret = None
