"""Answers the seeds' questions about the gateway itself: health and workers."""

from __future__ import annotations

from mitmproxy import http

from llmitm.call import call_of
from llmitm.dialects.carry import encode
from llmitm.runtime import runtime
from llmitm.seeds.circuits import workers
from llmitm.seeds.health import Health

JSON = {"content-type": "application/json"}


class SeedHealth:
    """Stands before limits and routing: a load balancer's probe is never refused."""

    def __init__(self) -> None:
        self._health = Health()

    async def request(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        if flow.response or call.operation not in ("health", "workers"):
            return
        live, status = runtime(), 200
        match call.path:
            case "/health/llm":
                status, body = await self._health.of_models(live)
            case "/health":
                body = self._health.of_gateway(live)
            case "/workers":
                body = {"workers": workers(live.targets)}
            case _:
                body = {"status": "healthy"}
        flow.response = http.Response.make(status, encode(body), JSON)


addons = [SeedHealth()]
