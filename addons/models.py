"""Answers what a gateway knows itself: which models a key may use, and that it is there."""

from __future__ import annotations

from mitmproxy import http

from llmitm import __version__, dialects
from llmitm.call import Call, call_of
from llmitm.config.access import permits
from llmitm.dialects import paths
from llmitm.errors import Cause, GatewayError
from llmitm.runtime import runtime

GREETING = b"Ollama is running"


class Models:
    def request(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        if flow.response or flow.request.method not in ("GET", "HEAD"):
            return
        match call.dialect, call.operation:
            case "ollama", "root":
                flow.response = http.Response.make(200, GREETING, {"content-type": "text/plain"})
            case "ollama", "version":
                flow.response = _json(b'{"version":"%b"}' % __version__.encode())
            case "ollama", "ps":
                flow.response = _json(dialects.models_list("ollama", "ps", ()))
            case _, "models":
                flow.response = _json(self._answer(call))

    def _answer(self, call: Call) -> bytes:
        wanted = paths.model_id(call.path)
        if wanted is None:
            return dialects.models_list(call.dialect, call.operation, usable(call))
        live = runtime()
        key = call.principal.policy if call.principal else None
        if live.policies.route_for(wanted) is None or (key and not permits(key, wanted)):
            raise GatewayError(
                Cause.UNKNOWN_MODEL, f"The model {wanted!r} does not exist.", param="model"
            )
        return dialects.model_object(call.dialect, call.operation, wanted)


def usable(call: Call) -> list[str]:
    """The models that this call's key may ask for by name.

    A glob route stands for the models its targets name; what only a glob knows isn't listed.
    """
    key = call.principal.policy if call.principal else None
    names: dict[str, None] = {}
    for route in runtime().policies.routes:
        exact = not any(c in route.model for c in "*?[")
        for name in [route.model] if exact else [t.model for t in route.targets]:
            if not any(c in name for c in "*?[") and (key is None or permits(key, name)):
                names[name] = None
    return list(names)


def _json(body: bytes) -> http.Response:
    return http.Response.make(200, body, {"content-type": "application/json"})


addons = [Models()]
