"""What a configuration comes to, as `llmitm check` prints it."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from llmitm.config.cache import Cache
from llmitm.config.keys import Key
from llmitm.config.limits import Budget, Limits
from llmitm.config.load import Loaded
from llmitm.config.problems import Problem
from llmitm.config.resilience import Resilience
from llmitm.config.routes import Route


def check_report(loaded: Loaded, width: int = 120) -> str:
    """Listeners, routes, keys and warnings as plain text."""
    out = io.StringIO()
    Console(file=out, width=width, no_color=True).print(check_tables(loaded))
    return out.getvalue()


def check_tables(loaded: Loaded) -> RenderableType:
    """The same for a terminal."""
    policies = loaded.policies
    parts: list[RenderableType] = [_listeners(loaded), _providers(loaded)]
    parts.append(_routes(policies.routes, policies.resilience))
    parts.append(_keys(policies.keys) if policies.keys else Text("no keys in the policies"))
    parts += [_warning(problem) for problem in loaded.warnings]
    return Group(*parts)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _listeners(loaded: Loaded) -> Table:
    listen = loaded.gateway.listen
    table = _table("listeners", "listener", "address")
    scheme = "https" if listen.tls else "http"
    table.add_row("gateway", f"{scheme}://{listen.gateway} (auth: {loaded.gateway.auth})")
    table.add_row("admin", f"http://{listen.admin}")
    table.add_row("inspector", f"http://{listen.inspector}" if listen.inspector else "off")
    for mode in listen.intercept:
        table.add_row("intercept", mode)
    return table


def _providers(loaded: Loaded) -> Table:
    table = _table("providers", "provider", "api", "base url", "key")
    for name, provider in loaded.gateway.providers.items():
        credential = str(provider.api_key) if provider.api_key else "none"
        table.add_row(name, provider.api, provider.base_url or "built in", credential)
    return table


def _routes(routes: Iterable[Route], usual: Resilience) -> Table:
    table = _table("routes", "model", "strategy", "targets", "resilience", "cache")
    table.add_row("(default)", "", "", Text(_resilience(usual)), "none", end_section=True)
    for route in routes:
        table.add_row(
            Text(route.model),
            route.strategy + (f", sticky by {route.sticky}" if route.sticky else ""),
            Text("\n".join(_target(route))),
            "default" if route.resilience == usual else Text(_resilience(route.resilience)),
            _cache(route.cache) if route.cache else "none",
        )
    return table


def _target(route: Route) -> Iterable[str]:
    for target in route.targets:
        weight = f" ×{target.weight:g}" if route.strategy == "weighted" else ""
        yield f"{target.name}{weight}"


def _resilience(resilience: Resilience) -> str:
    retry, timeouts, breaker = resilience.retry, resilience.timeouts, resilience.circuit_breaker
    parts = [
        f"{retry.attempts} attempts in {retry.deadline:g} s",
        f"first token {timeouts.first_token:g} s, total {timeouts.total:g} s",
        f"circuit open for {breaker.open_for:g} s" if breaker.enabled else "no circuit breaker",
        f"mid-stream {resilience.mid_stream}",
    ]
    if resilience.hedge_after:
        parts.append(f"hedge after {resilience.hedge_after:g} s")
    return "\n".join(parts)


def _cache(cache: Cache) -> str:
    bounds = f"{cache.max_entries:,} answers, {cache.max_bytes:,} bytes"
    return f"{cache.ttl:g} s by {cache.scope}\n{bounds}"


def _keys(keys: Iterable[Key]) -> Table:
    table = _table("keys", "key", "belongs to", "models", "limits", "budgets", "state")
    for key in keys:
        table.add_row(
            key.id,
            " / ".join(name for name in (key.team, key.user) if name) or "nobody",
            Text(", ".join(key.models) or "none"),
            _limits(key.limits),
            "\n".join(map(_budget, key.budgets)) or "none",
            _state(key.enabled, key.expires),
        )
    return table


def _limits(limits: Limits) -> str:
    given = {name: value for name, value in limits.model_dump().items() if value is not None}
    return "\n".join(f"{name} {value:g}" for name, value in given.items()) or "none"


def _budget(budget: Budget) -> str:
    kind = f"calendar {budget.calendar}" if budget.calendar else "rolling"
    return f"{budget.usd} USD per {budget.per}, {kind}"


def _state(enabled: bool, expires: datetime | None) -> str:
    until = f", until {expires:%Y-%m-%d %H:%M %Z}" if expires else ""
    return f"{'enabled' if enabled else 'disabled'}{until}"


def _warning(problem: Problem) -> Text:
    return Text(f"warning: {problem}", style="yellow")
