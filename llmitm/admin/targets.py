"""State of the targets: circuits, load; reset and drain."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from aiohttp import web

if TYPE_CHECKING:
    from llmitm.master import GatewayMaster


class Change(msgspec.Struct):
    """What an operator wants of a target."""

    target: str
    action: Literal["reset", "drain", "undrain"]


_change = msgspec.json.Decoder(Change).decode


def routes(app: web.Application, master: GatewayMaster) -> None:
    live = master.runtime.targets

    async def show(_request: web.Request) -> web.Response:
        return web.json_response({"targets": list(describe(live))})

    async def change(request: web.Request) -> web.Response:
        wanted = _change(await request.read())
        try:
            if wanted.action == "reset":
                live.circuits.reset(wanted.target)
            else:
                live.circuits.drain(wanted.target, wanted.action == "drain")
        except KeyError:
            known = ", ".join(name for name, *_ in live.circuits.snapshots())
            raise web.HTTPNotFound(
                text=f"no target {wanted.target!r}; there are {known or 'none'}"
            ) from None
        return await show(request)

    app.router.add_get("/admin/targets", show)
    app.router.add_post("/admin/targets", change)


def describe(live: Any) -> Any:
    """Every target as JSON; times become seconds from now."""
    now = time.monotonic()
    for name, guard, shot in live.circuits.snapshots():
        yield {
            "target": name,
            "state": shot.state,
            "draining": guard.draining,
            "credential_refused": now < guard.out_until,
            "unhealthy": name.partition("/")[0] in live.health.down,
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
