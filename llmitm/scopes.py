"""Which limits and budgets a call is under: of key, user, team, model, route, and everyone's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from llmitm.call import Principal
from llmitm.config import schema
from llmitm.config.glob import matches
from llmitm.config.schema import Policies
from llmitm.policy.budget import Budget
from llmitm.policy.cost import nano_usd
from llmitm.policy.limits import DAY, MINUTE, Kind, Limit
from llmitm.policy.periods import Period

MAX_REMEMBERED = 4096  # model names come from clients

Part = tuple[str, schema.Limits, tuple[schema.Budget, ...]]


@dataclass(frozen=True, slots=True)
class Allowances:
    """What one call is under. `entry` is the key's, kept so that its identity stays its own."""

    limits: tuple[Limit, ...]
    budgets: tuple[Budget, ...]
    entry: Any


class Scopes:
    """Finds the allowances of a call, and remembers them until the policies change."""

    def __init__(self) -> None:
        self._policies: Policies | None = None
        self._known: dict[tuple[Any, ...], Allowances] = {}

    def of(
        self, policies: Policies, who: Principal, model: str | None, route: str | None
    ) -> Allowances:
        if policies is not self._policies or len(self._known) >= MAX_REMEMBERED:
            self._policies, self._known = policies, {}
        name = (id(who.policy), who.key, who.user, who.team, model, route)
        known = self._known.get(name)
        if known is None:
            parts = list(_parts(policies, who, model, route))
            limits = tuple(limit for part in parts for limit in _limits(part))
            known = Allowances(limits, tuple(_budgets(parts)), who.policy)
            self._known[name] = known
        return known


def everyones_budgets(policies: Policies) -> Iterator[Budget]:
    """The budgets of every key, user and team that the policies name, and the global ones."""
    parts = [
        *((f"key:{key.id}", key.limits, key.budgets) for key in policies.keys),
        *((f"user:{user.id}", user.limits, user.budgets) for user in policies.users.values()),
        *((f"team:{team.id}", team.limits, team.budgets) for team in policies.teams.values()),
        ("global", policies.limits.global_.limits, policies.limits.global_.budgets),
    ]
    return _budgets(parts)


def _parts(
    policies: Policies, who: Principal, model: str | None, route: str | None
) -> Iterator[Part]:
    defaults = policies.limits
    yield _part(f"key:{who.key}", who.policy or defaults.key)
    if who.user is not None:
        yield _part(f"user:{who.user}", policies.users.get(who.user) or defaults.user)
    if who.team is not None:
        yield _part(f"team:{who.team}", policies.teams.get(who.team) or defaults.team)
    for entry in defaults.models:
        if model is not None and matches(entry.model, model):
            yield _part(f"model:{entry.model}", entry)
    for shared in defaults.routes:
        if route is not None and shared.route == route:
            yield _part(f"route:{route}", shared)
    yield _part("global", defaults.global_)


def _part(scope: str, entry: Any) -> Part:
    return scope, entry.limits, entry.budgets


def _limits(part: Part) -> Iterator[Limit]:
    scope, limits, _ = part
    wanted = (
        (Kind.REQUESTS, limits.requests_per_minute, MINUTE),
        (Kind.TOKENS, limits.tokens_per_minute, MINUTE),
        (Kind.TOKENS, limits.tokens_per_day, DAY),
        (Kind.CONCURRENT, limits.concurrent, MINUTE),
    )
    for kind, amount, period in wanted:
        if amount is not None:
            yield Limit(scope, kind, amount, period, wait=limits.wait or 0.0)


def _budgets(parts: Iterable[Part]) -> Iterator[Budget]:
    """One budget per scope and window: where two share one, the smaller."""
    found: dict[str, Budget] = {}
    for scope, _, budgets in parts:
        for entry in budgets:
            amount = nano_usd(entry.usd)
            budget = Budget(scope, amount, Period(entry.per), entry.calendar, entry.warn_at)
            known = found.get(budget.id)
            if known is None or amount < known.amount:
                found[budget.id] = budget
    yield from found.values()
