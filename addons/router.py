"""Which targets may answer a call, in the order they are asked."""

from __future__ import annotations

from mitmproxy import http

from llmitm.call import Target, call_of
from llmitm.dialects import paths
from llmitm.errors import Cause, GatewayError
from llmitm.runtime import runtime


class Router:
    def request(self, flow: http.HTTPFlow) -> None:
        if flow.response:
            return
        call = call_of(flow)
        live = runtime()
        route = live.policies.route_for(call.model) if call.model is not None else None
        # A model that is about to be pulled has no route yet.
        unrouted = route is None and paths.manages_models(call.dialect, call.operation)
        if call.model is None or unrouted:
            provider = live.targets.default_provider(call.dialect)
            if provider is None:
                raise GatewayError(
                    Cause.UNKNOWN_MODEL,
                    f"No provider of this gateway serves {call.path}.",
                )
            call.resilience = live.policies.resilience
            call.plan = (Target(provider),)
            return
        if route is None:
            raise GatewayError(
                Cause.UNKNOWN_MODEL,
                f"The model {call.model!r} does not exist on this gateway. "
                "GET /v1/models lists what this key may use.",
                param="model",
            )
        call.route = route.model
        call.resilience = route.resilience
        plan = live.targets.plan(route, call)
        if call.provider is not None:
            plan = tuple(sorted(plan, key=lambda target: target.provider != call.provider))
        call.plan = plan


addons = [Router()]
