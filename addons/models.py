"""Answers what a gateway knows itself: which models a key may use, and that it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from mitmproxy import http

from llmitm import dialects
from llmitm.call import Call, call_of
from llmitm.config.access import permits
from llmitm.config.glob import is_glob, matches
from llmitm.config.schema import Route
from llmitm.dialects import paths
from llmitm.errors import Cause, GatewayError
from llmitm.provider_models import ProviderModels
from llmitm.runtime import runtime

GREETING = b"Ollama is running"
# The Ollama whose API the gateway speaks: clients turn features on and off by it.
OLLAMA_VERSION = b'{"version":"0.13.0"}'


class Models:
    def __init__(self) -> None:
        self._listed: ProviderModels | None = None

    async def request(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        if flow.response:
            return
        match call.dialect, call.operation:
            case "ollama", "root":
                flow.response = http.Response.make(200, GREETING, {"content-type": "text/plain"})
            case "ollama", "version":
                flow.response = _json(OLLAMA_VERSION)
            case "ollama", "ps":
                flow.response = _json(dialects.models_list("ollama", "ps", ()))
            case "ollama", "show":
                self._show(flow, call)
            case _, "models":
                flow.response = _json(await self._answer(call))

    async def _answer(self, call: Call) -> bytes:
        wanted = paths.model_id(call.path)
        if wanted is None:
            return dialects.models_list(call.dialect, call.operation, await self._usable(call))
        if runtime().policies.route_for(wanted) is None or not _permitted(call, wanted):
            raise GatewayError(
                Cause.UNKNOWN_MODEL, f"The model {wanted!r} does not exist.", param="model"
            )
        return dialects.model_object(call.dialect, call.operation, wanted)

    def _show(self, flow: http.HTTPFlow, call: Call) -> None:
        """Describe a model of providers that aren't Ollama's, as far as a gateway can."""
        live = runtime()
        route = live.policies.route_for(call.model or "")
        if route is None:
            return  # the router says so
        apis = {live.gateway.providers[target.provider].dialect for target in route.targets}
        if apis.isdisjoint(("ollama", None)):
            flow.response = _json(dialects.model_object("ollama", "show", call.model or ""))

    async def _usable(self, call: Call) -> list[str]:
        """The models that this call's key may ask for by name.

        A pattern stands for what its targets name, and for what their providers list.
        """
        routes = runtime().policies.routes
        candidates = await asyncio.gather(*(self._names(route) for route in routes))
        names = dict.fromkeys(name for named in candidates for name in named)
        return [name for name in names if _permitted(call, name)]

    async def _names(self, route: Route) -> Iterable[str]:
        if not is_glob(route.model):
            return (route.model,)
        live = runtime()
        if self._listed is None:
            self._listed = ProviderModels(live.upstream)
        names: list[str] = []
        for target in route.targets:
            provider = live.gateway.providers[target.provider]
            if target.model != "*":
                names.append(target.model)
            else:
                url = live.targets.base_url(target.provider)
                names += await self._listed.of(target.provider, provider, url)
        return [name for name in names if matches(route.model, name)]


def _permitted(call: Call, name: str) -> bool:
    key = call.principal.policy if call.principal else None
    return key is None or permits(key, name)


def _json(body: bytes) -> http.Response:
    return http.Response.make(200, body, {"content-type": "application/json"})


addons = [Models()]
