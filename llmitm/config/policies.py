"""One immutable snapshot of all policies, which a call keeps from accept to settled."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from llmitm.config.access import AccessPolicy
from llmitm.config.keys import Key, KeysFile, Team, User
from llmitm.config.limits import LimitPolicy, Scope
from llmitm.config.logging import Logging
from llmitm.config.model import Model
from llmitm.config.prices import Price, PricesFile
from llmitm.config.resilience import Resilience
from llmitm.config.routes import Route, RoutesFile, RouteTable

POLICY_FILES: dict[str, type[Model]] = {
    "keys": KeysFile,
    "routes": RoutesFile,
    "resilience": Resilience,
    "limits": LimitPolicy,
    "prices": PricesFile,
    "logging": Logging,
    "access": AccessPolicy,
}


@dataclass(frozen=True)
class Policies:
    """The policies as they were at one moment; `files` are those they were read from."""

    keys: tuple[Key, ...] = ()
    users: dict[str, User] = field(default_factory=dict)
    teams: dict[str, Team] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()
    resilience: Resilience = Resilience()
    limits: LimitPolicy = LimitPolicy()
    prices: tuple[Price, ...] = ()
    logging: Logging = Logging()
    access: AccessPolicy = AccessPolicy()
    files: tuple[Path, ...] = ()

    @cached_property
    def by_digest(self) -> dict[str, Key]:
        """Keys by the SHA-256 of their secret, disabled and expired ones included."""
        return {key.digest: key for key in self.keys}

    @cached_property
    def _route_table(self) -> RouteTable:
        return RouteTable(self.routes)

    def route_for(self, model: str) -> Route | None:
        """The route that serves `model`: an exact name first, then patterns in order."""
        return self._route_table.find(model)

    def completed(self, key: Key) -> Key:
        """The key with its user's team and the defaults of its scope filled in."""
        user = self.users.get(key.user or "")
        default = self.limits.key
        return key.model_copy(
            update={
                "team": key.team or (user.team if user else None),
                "limits": key.limits.over(default.limits),
                "budgets": key.budgets or default.budgets,
                "log_content": key.log_content or self.logging.content,
            }
        )


@dataclass(frozen=True)
class PolicyFiles:
    """The policy files, each validated, before they are put together."""

    keys: KeysFile
    routes: RoutesFile
    resilience: Resilience
    limits: LimitPolicy
    prices: PricesFile
    logging: Logging
    access: AccessPolicy


def assemble(files: PolicyFiles, read: tuple[Path, ...]) -> Policies:
    """The snapshot: routes with their resilience, keys, users and teams with their defaults."""
    limits = files.limits
    shell = Policies(
        users={u.id: _scoped(u, limits.user) for u in files.keys.users},
        teams={t.id: _scoped(t, limits.team) for t in files.keys.teams},
        routes=tuple(entry.route(files.resilience) for entry in files.routes.routes),
        resilience=files.resilience,
        limits=limits,
        prices=files.prices.prices,
        logging=files.logging,
        access=files.access,
        files=read,
    )
    return replace(shell, keys=tuple(shell.completed(key) for key in files.keys.keys))


def _scoped[T: (User, Team)](owner: T, default: Scope) -> T:
    update = {
        "limits": owner.limits.over(default.limits),
        "budgets": owner.budgets or default.budgets,
    }
    return owner.model_copy(update=update)
