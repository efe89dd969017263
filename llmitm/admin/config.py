"""Which configuration is in force, and what is wrong with a newer one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from llmitm.master import GatewayMaster


def routes(app: web.Application, master: GatewayMaster) -> None:
    async def show(_request: web.Request) -> web.Response:
        policies = master.runtime.policies
        errors = master.watcher.errors
        return web.json_response(
            {
                "gateway": master.loaded.gateway.model_dump(mode="json"),
                "files": [str(path) for path in (*master.loaded.files, *policies.files)],
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
        )

    async def reload(request: web.Request) -> web.Response:
        await master.watcher.reload_now()
        return await show(request)

    app.router.add_get("/admin/config", show)
    app.router.add_post("/admin/config/reload", reload)
