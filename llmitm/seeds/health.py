"""Whether the models behind the seeds' endpoints can be reached."""

from __future__ import annotations

import asyncio
import time

from llmitm.circuits import Guard
from llmitm.errors import GatewayError
from llmitm.policy.breaker import Snapshot, State
from llmitm.probe import probe
from llmitm.runtime import Runtime
from llmitm.seeds.agent import GENERATE
from llmitm.seeds.circuits import combined
from llmitm.seeds.endpoint import Json
from llmitm.seeds.models import default_choice

# Anyone may ask for the health, so providers are asked no more often than this.
KEEP_SECONDS = 5.0


class Health:
    """Answers the health endpoints. Probes are shared by all who ask at the same time."""

    def __init__(self) -> None:
        self._until = 0.0
        self._probing: asyncio.Task[bool] | None = None

    def of_gateway(self, live: Runtime) -> Json:
        """The gateway's own health and its circuits: an open one is working as designed."""
        return {"status": "healthy", "llm": combined(_shots(live))}

    async def of_models(self, live: Runtime) -> tuple[int, Json]:
        """Status and body: 200 where a target of the default model can be asked, else 500."""
        circuits = combined(_shots(live, GENERATE.usual_model))
        reachable = circuits["circuit_breaker_state"] != State.OPEN and await self._reachable(live)
        status = "healthy" if reachable else "unavailable"
        return 200 if reachable else 500, {"status": status, **circuits}

    async def _reachable(self, live: Runtime) -> bool:
        now = time.monotonic()
        if self._probing is None or (self._probing.done() and now >= self._until):
            self._until = now + KEEP_SECONDS
            self._probing = asyncio.create_task(_any_reachable(live))
        return await asyncio.shield(self._probing)


async def _any_reachable(live: Runtime) -> bool:
    """Whether a provider that may be asked answers; all are asked at once."""
    now = time.monotonic()
    usable = [g.name for g in _circuits(live, GENERATE.usual_model) if g.usable(now)]
    work = [
        probe(live.upstream, live.gateway.providers[name], live.targets.base_url(name))
        for name in {name.partition("/")[0] for name in usable}
    ]
    return any(reached.ok for reached in await asyncio.gather(*work))


def _circuits(live: Runtime, usual: str | None = None) -> list[Guard]:
    """The circuits of the default model, or of all models where there is none."""
    try:
        model: str | None = default_choice(live, None, usual).model
    except GatewayError:
        model = None
    route = live.policies.route_for(model) if model is not None else None
    routes = live.policies.routes if route is None else (route,)
    targets = {target.name: target for route in routes for target in route.targets}
    return [
        guard for target in targets.values() for guard in live.targets.circuits.of(target, model)
    ]


def _shots(live: Runtime, usual: str | None = None) -> list[Snapshot]:
    now = time.monotonic()
    return [guard.breaker.snapshot(now) for guard in _circuits(live, usual)]
