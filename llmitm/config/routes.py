"""`policies/routes.yaml`: what clients ask for, and the targets that serve it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from llmitm.call import Target
from llmitm.config.cache import Cache
from llmitm.config.glob import is_glob, matches
from llmitm.config.model import Model
from llmitm.config.problems import Fault
from llmitm.config.resilience import Override, Resilience
from llmitm.config.values import Count, Glob

Strategy = Literal[
    "priority", "weighted", "round_robin", "least_busy", "lowest_latency", "cheapest"
]
Sticky = Literal["key", "user"]


def _check_model(model: str) -> str:
    if "*" in model and model != "*":
        raise Fault(
            f"{model!r} cannot be sent upstream",
            'write one model, or "*" for the one that the client asked for',
        )
    return model


class TargetEntry(Model):
    """A target as YAML has it."""

    provider: str
    model: Annotated[str, Field(min_length=1), AfterValidator(_check_model)] = "*"
    weight: Annotated[float, Field(ge=0)] = 1
    prefill: bool = False
    context: Count | None = None

    def target(self) -> Target:
        return Target(self.provider, self.model, self.weight, self.prefill, self.context)


class RouteEntry(Model):
    """A route as YAML has it."""

    model: Glob
    strategy: Strategy = "priority"
    targets: tuple[TargetEntry, ...] = Field(min_length=1)
    resilience: Override | None = None
    sticky: Sticky | None = None
    cache: Cache | None = None

    @model_validator(mode="after")
    def _some_weight(self) -> Self:
        if self.strategy == "weighted" and not any(t.weight for t in self.targets):
            raise Fault("every weight is 0", "give one target a weight")
        return self

    def route(self, base: Resilience) -> Route:
        """The route, its resilience merged over `base`."""
        return Route(
            model=self.model,
            strategy=self.strategy,
            targets=tuple(entry.target() for entry in self.targets),
            resilience=base.merged(self.resilience) if self.resilience else base,
            sticky=self.sticky,
            cache=self.cache,
        )


class RoutesFile(Model):
    routes: tuple[RouteEntry, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Route:
    """A resolved route: `model` is a name or a pattern, `resilience` holds every value."""

    model: str
    targets: tuple[Target, ...]
    strategy: Strategy = "priority"
    resilience: Resilience = Resilience()
    sticky: Sticky | None = None
    cache: Cache | None = None


class RouteTable:
    """Finds the route of a model: an exact name first, then patterns in order."""

    def __init__(self, routes: Iterable[Route]) -> None:
        routes = tuple(routes)
        self._exact = {r.model: r for r in reversed(routes)}
        self._globs = tuple(r for r in routes if is_glob(r.model))
        # Models are named by clients, so the cache is bounded.
        self.find = lru_cache(maxsize=4096)(self._find)

    def _find(self, model: str) -> Route | None:
        exact = self._exact.get(model)
        return exact or next((r for r in self._globs if matches(r.model, model)), None)
