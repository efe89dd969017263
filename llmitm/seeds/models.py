"""Which model answers a client that names none, or only its provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from llmitm.call import Principal
from llmitm.config.access import permits
from llmitm.config.environment import Environment
from llmitm.config.glob import is_glob
from llmitm.config.providers import DEFAULT_MODELS
from llmitm.config.schema import Provider
from llmitm.errors import Cause, GatewayError
from llmitm.runtime import Runtime

SAY = "set LLM_MODEL, or default_model of a provider"
# What a provider of each API most likely has.
LIKELY = {**DEFAULT_MODELS, "ollama": "llama3.2", "simulator": "sim-small"}


@dataclass(frozen=True, slots=True)
class Choice:
    """A model to ask for; `provider` is the name of the one to ask first, if that matters."""

    model: str
    provider: str | None = None


def default_choice(live: Runtime, who: Principal | None, usual: str | None = None) -> Choice:
    """The likeliest model that a route serves and that this key may use.

    `usual` is the model that the endpoint's own documentation names. Raises GatewayError.
    """
    may, served = _may(who), False
    for model in _candidates(live, usual):
        if live.policies.route_for(model) is not None:
            served = True
            if may(model):
                return Choice(model)
    if served:
        raise GatewayError(Cause.PERMISSION, "This API key may use no model of this endpoint.")
    raise GatewayError(
        Cause.UPSTREAM_UNAVAILABLE, f"No model is set for this endpoint: {SAY}, and a route for it."
    )


def choice_of(live: Runtime, who: Principal | None, provider: str, model: str | None) -> Choice:
    """The model to ask the provider of this name or API for. Raises GatewayError for none."""
    names = _named(live.gateway.providers, provider)
    if not names:
        known = ", ".join(live.gateway.providers)
        raise GatewayError(
            Cause.INVALID_REQUEST,
            f"There is no provider {provider!r} here. There are: {known}.",
            param="provider",
        )
    may = _may(who)
    for name in names:
        wanted = [model] if model else _candidates_of(live, name)
        for candidate in wanted:
            if may(candidate) and _serves(live, candidate, name):
                return Choice(candidate, name)
    raise GatewayError(
        Cause.INVALID_REQUEST,
        f"No route leads to the provider {provider!r} with "
        f"{f'the model {model!r}' if model else 'a model of its own'}: {SAY}, and a route for it.",
        param="provider",
    )


def _named(providers: dict[str, Provider], wanted: str) -> list[str]:
    """The provider of this name, or those of this API."""
    if wanted in providers:
        return [wanted]
    return [name for name, provider in providers.items() if provider.api == wanted]


def _may(who: Principal | None) -> Callable[[str], bool]:
    """Whether this key may ask for a model."""
    key = who.policy if who else None
    return lambda model: key is None or permits(key, model)


def _serves(live: Runtime, model: str, provider: str) -> bool:
    route = live.policies.route_for(model)
    return route is not None and any(target.provider == provider for target in route.targets)


def _candidates(live: Runtime, usual: str | None) -> Iterator[str]:
    providers = sorted(live.gateway.providers.values(), key=lambda provider: not provider.default)
    yield from _given(Environment(live.env).get("LLM_MODEL"))
    for provider in providers:
        yield from _given(provider.default_model)
    for route in live.policies.routes:
        if not is_glob(route.model):
            yield route.model
    yield from _given(usual)
    for provider in providers:
        yield from _given(LIKELY.get(provider.api))
    for route in live.policies.routes:
        yield from (target.model for target in route.targets if target.model != "*")


def _candidates_of(live: Runtime, name: str) -> Iterator[str]:
    provider = live.gateway.providers[name]
    yield from _given(provider.default_model)
    yield from _given(LIKELY.get(provider.api))
    for route in live.policies.routes:
        targets = [target for target in route.targets if target.provider == name]
        if targets and not is_glob(route.model):
            yield route.model
        yield from (target.model for target in targets if target.model != "*")


def _given(value: str | None) -> list[str]:
    return [value] if value else []
