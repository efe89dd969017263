"""Usage reports over the ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast, get_args

from aiohttp import web

from llmitm.admin.requests import filters_of, json_reply, refusals, utc_now
from llmitm.stores.filters import Dimension
from llmitm.stores.reader import open_reader
from llmitm.stores.usage import By

if TYPE_CHECKING:
    from llmitm.master import GatewayMaster

USUAL = timedelta(days=30)
GROUPS = (*get_args(Dimension), "day")


def routes(app: web.Application, master: GatewayMaster) -> None:
    reader = open_reader(master.loaded.gateway.store.ledger)

    async def show(request: web.Request) -> web.Response:
        by = request.query.get("by", "key")
        if by not in GROUPS:
            raise web.HTTPBadRequest(text=f"by must be one of {', '.join(GROUPS)}")
        with refusals():
            now = utc_now()
            filters = filters_of(request, now)
            if filters.since is None:
                filters = replace(filters, since=(now - USUAL).timestamp())
            offset = int(request.query.get("utc_offset", 0))
            rows = await reader.usage(filters, by=cast("By", by), utc_offset=offset)
        return json_reply({"by": by, "since": filters.since, "until": filters.until, "usage": rows})

    async def close(_app: Any) -> None:
        await reader.close()

    app.on_cleanup.append(close)
    app.router.add_get("/admin/usage", show)
