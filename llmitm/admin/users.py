"""Users: register, list, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from llmitm.admin.requests import desk_of, json_body, refusals
from llmitm.stores.identities import UserRow

if TYPE_CHECKING:
    from llmitm.master import GatewayMaster


def routes(app: web.Application, master: GatewayMaster) -> None:
    runtime = master.runtime
    keyring = runtime.keyring

    async def show(_request: web.Request) -> web.Response:
        with refusals():
            made = await keyring.identities.users()
        of_file = [
            {"id": user.id, "name": user.name, "team": user.team, "source": "keys.yaml"}
            for user in runtime.policies.users.values()
        ]
        return web.json_response({"users": [*of_file, *map(described, made)]})

    async def create(request: web.Request) -> web.Response:
        wish = await json_body(request)
        with refusals():
            made = await desk_of(runtime).create_user(wish)
            await keyring.refresh()
        return web.json_response(described(made), status=201)

    async def delete(request: web.Request) -> web.Response:
        with refusals():
            await desk_of(runtime).delete_user(request.match_info["id"])
            await keyring.refresh()
        return web.Response(status=204)

    app.router.add_get("/admin/users", show)
    app.router.add_post("/admin/users", create)
    app.router.add_delete("/admin/users/{id}", delete)


def described(user: UserRow) -> dict[str, Any]:
    """A user of the database as JSON."""
    return {
        "id": user.id,
        "name": user.name,
        "team": user.team,
        "created_at": user.created_at,
        "source": "api",
    }
