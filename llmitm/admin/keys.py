"""Keys: make, list, rotate, disable, enable, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from llmitm.admin.requests import desk_of, json_body, refusals
from llmitm.config.schema import Key
from llmitm.config.values import seconds
from llmitm.identity import OVERLAP, NewKey, state_of
from llmitm.stores.identities import KeyRow

if TYPE_CHECKING:
    from llmitm.master import GatewayMaster


def routes(app: web.Application, master: GatewayMaster) -> None:
    runtime = master.runtime
    keyring = runtime.keyring

    async def show(_request: web.Request) -> web.Response:
        with refusals():
            made = await keyring.identities.keys()
        of_file = [described(key) for key in runtime.policies.keys]
        return web.json_response({"keys": [*of_file, *(described_row(row) for row in made)]})

    async def create(request: web.Request) -> web.Response:
        wish = await json_body(request)
        with refusals():
            made = await desk_of(runtime).create_key(wish)
            await keyring.refresh()
        return web.json_response(shown_once(made), status=201)

    async def rotate(request: web.Request) -> web.Response:
        wish = await json_body(request)
        overlap = seconds(wish.get("overlap", OVERLAP))
        with refusals():
            made = await desk_of(runtime).rotate_key(request.match_info["id"], overlap)
            await keyring.refresh()
        return web.json_response(shown_once(made), status=201)

    async def switch(request: web.Request) -> web.Response:
        key_id, on = request.match_info["id"], request.match_info["action"] == "enable"
        with refusals():
            await desk_of(runtime).enable_key(key_id, on)
            await keyring.refresh()
        return web.json_response({"id": key_id, "enabled": on})

    async def delete(request: web.Request) -> web.Response:
        with refusals():
            await desk_of(runtime).delete_key(request.match_info["id"])
            await keyring.refresh()
        return web.Response(status=204)

    async def refresh(_request: web.Request) -> web.Response:
        """Take over now what another process changed."""
        with refusals():
            await keyring.refresh()
        return web.Response(status=204)

    app.router.add_get("/admin/keys", show)
    app.router.add_post("/admin/keys/refresh", refresh)
    app.router.add_post("/admin/keys", create)
    app.router.add_post("/admin/keys/{id}/rotate", rotate)
    app.router.add_post("/admin/keys/{id}/{action:disable|enable}", switch)
    app.router.add_delete("/admin/keys/{id}", delete)


def described(key: Key) -> dict[str, Any]:
    """A key of policies/keys.yaml as JSON, without its digest."""
    fields = key.model_dump(mode="json", exclude={"digest"}, exclude_none=True)
    return {**fields, "state": "on" if key.enabled else "disabled", "source": "keys.yaml"}


def described_row(row: KeyRow) -> dict[str, Any]:
    """A key of the database as JSON, without its digest. Times are seconds since the epoch."""
    fields = {
        "id": row.id,
        "user": row.user,
        "team": row.team,
        **row.settings,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "works_until": row.grace_until,
        "rotated_from": row.rotated_from,
        "accounted_as": row.origin,
        "state": state_of(row),
        "source": "api",
    }
    return {name: value for name, value in fields.items() if value is not None}


def shown_once(made: NewKey) -> dict[str, Any]:
    return {**described_row(made.row), "key": made.secret}
