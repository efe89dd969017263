"""State of the targets: circuits, load; reset and drain."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from llmitm.master import GatewayMaster


def routes(app: web.Application, master: GatewayMaster) -> None:
    live = master.runtime.targets

    async def show(_request: web.Request) -> web.Response:
        return web.json_response({"targets": list(describe(live))})

    async def change(request: web.Request) -> web.Response:
        body = await request.json()
        name, action = body.get("target"), body.get("action")
        actions = {
            "reset": lambda: live.reset(name),
            "drain": lambda: live.drain(name, True),
            "undrain": lambda: live.drain(name, False),
        }
        if action not in actions:
            raise web.HTTPBadRequest(text=f"action must be one of {', '.join(actions)}")
        try:
            actions[action]()
        except KeyError:
            raise web.HTTPNotFound(text=f"no target {name!r}; GET lists them") from None
        return await show(request)

    app.router.add_get("/admin/targets", show)
    app.router.add_post("/admin/targets", change)


def describe(live: Any) -> Any:
    """Every target as JSON; times become seconds from now."""
    now = time.monotonic()
    for name, guard, shot in live.snapshots():
        yield {
            "target": name,
            "state": shot.state,
            "draining": guard.draining,
            "credential_refused": now < guard.out_until,
            "in_flight": live.load.in_flight(name),
            "time_to_first_token": latency.value if (latency := live.load.latency(name)) else None,
            "failures": shot.failure_count,
            "successes": shot.success_count,
            "consecutive_failures": shot.consecutive_failures,
            "last_failure_ago": _since(shot.last_failure, now),
            "next_retry_in": _until(shot.next_retry_at, now),
            "cooldown_for": _until(shot.cooldown_until, now),
        }


def _since(moment: float | None, now: float) -> float | None:
    return None if moment is None else round(now - moment, 3)


def _until(moment: float | None, now: float) -> float | None:
    return None if moment is None else round(max(0.0, moment - now), 3)
