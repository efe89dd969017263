"""Which configuration is in force, and what is wrong with a newer one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from llmitm.master import GatewayMaster


def routes(app: web.Application, master: GatewayMaster) -> None:
    async def show(_request: web.Request) -> web.Response:
        return web.json_response(described(master))

    async def reload(_request: web.Request) -> web.Response:
        good = await master.watcher.reload_now()
        return web.json_response(described(master), status=200 if good else 422)

    app.router.add_get("/admin/config", show)
    app.router.add_post("/admin/config/reload", reload)


def described(master: GatewayMaster) -> dict[str, Any]:
    """What is in force, without its secrets, and the problems of an edit that is not."""
    policies, errors = master.runtime.policies, master.watcher.errors
    return {
        "gateway": master.loaded.gateway.model_dump(mode="json"),
        "files": sorted({str(path) for path in (*master.loaded.files, *policies.files)}),
        "routes": [
            {
                "model": route.model,
                "strategy": route.strategy,
                "targets": [target.name for target in route.targets],
            }
            for route in policies.routes
        ],
        "keys": [key.id for key in policies.keys],
        "errors": [str(problem) for problem in errors.problems] if errors else [],
    }
