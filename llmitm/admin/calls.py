"""Single calls, from the ledger: the newest first, page by page, and what one of them said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from llmitm.admin.requests import filters_of, json_reply, refusals, utc_now
from llmitm.stores.reader import open_reader

if TYPE_CHECKING:
    from llmitm.master import GatewayMaster

USUAL, MOST = 100, 1000


def routes(app: web.Application, master: GatewayMaster) -> None:
    reader = open_reader(master.loaded.gateway.store.ledger)

    async def show(request: web.Request) -> web.Response:
        query = request.query
        with refusals():
            limit = max(1, min(int(query.get("limit", USUAL)), MOST))
            filters = filters_of(request, utc_now())
            try:
                calls = await reader.calls(limit, before=query.get("before"), filters=filters)
            except LookupError as fault:
                raise web.HTTPNotFound(text=str(fault)) from fault
        last = calls[-1].request_id if len(calls) == limit else None
        return json_reply({"calls": calls, "next": last})

    async def one(request: web.Request) -> web.Response:
        request_id = request.match_info["id"]
        with refusals():
            call = await reader.call(request_id)
            content = await reader.content(request_id)
        if call is None:
            raise web.HTTPNotFound(text=f"the ledger has no call {request_id!r}")
        said = None if content is None else {"request": content.request, "answer": content.response}
        return json_reply({"call": call, "content": said})

    async def close(_app: Any) -> None:
        await reader.close()

    app.on_cleanup.append(close)
    app.router.add_get("/admin/calls", show)
    app.router.add_get("/admin/calls/{id}", one)
