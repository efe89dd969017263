"""Liveness, readiness and metrics."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web
from prometheus_client.exposition import choose_encoder

if TYPE_CHECKING:
    from llmitm.master import GatewayMaster


def routes(app: web.Application, master: GatewayMaster) -> None:
    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_request: web.Request) -> web.Response:
        detail = {
            "ledger": "ok" if master.runtime.ledger.healthy else "down, calls wait in the spool",
            "shared_store": "ok" if master.shared.up else "away, limits are local",
            "policies": "last edit refused" if master.watcher.errors else "ok",
        }
        ready = master.serving
        status = "ready" if ready else "draining" if master.draining else "starting"
        return web.json_response({"status": status, "detail": detail}, status=200 if ready else 503)

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        # Rendering thousands of series takes long enough to be felt by streams.
        body = await asyncio.to_thread(encode, master.runtime.metrics.registry)
        return web.Response(body=body, headers={"content-type": content_type})

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
