"""The simulator's own API under /_sim/: its faults and what it was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from llmitm.simulator.faults import COMMON, FAULTS, UnknownFault
from llmitm.simulator.frames import encode

if TYPE_CHECKING:
    from llmitm.simulator.server import Simulator


async def control(simulator: Simulator, request: web.BaseRequest) -> web.Response:
    """Answers a request to /_sim/.

    ``GET faults`` lists the table. ``GET``, ``PUT`` and ``DELETE fault`` read, set and clear the
    default fault, whose text is the body. ``GET`` and ``DELETE requests`` read and forget the
    latest requests.
    """
    match request.method, request.path:
        case "GET", "/_sim/faults":
            return _json(listed())
        case "PUT", "/_sim/fault":
            try:
                simulator.fault = (await request.text()).strip()
            except UnknownFault as error:
                return _json({"error": str(error)}, 400)
        case "DELETE", "/_sim/fault":
            simulator.fault = None
        case "GET", "/_sim/requests":
            return _json([record.public() for record in simulator.requests])
        case "DELETE", "/_sim/requests":
            simulator.requests.clear()
            return _json([])
        case "GET", "/_sim/fault":
            pass
        case _:
            return _json({"error": f"no {request.method} {request.path}"}, 404)
    return _json({"fault": simulator.fault})


def listed() -> list[dict[str, Any]]:
    """Every fault with its one line and its own parameters, then what any fault takes."""
    return [
        {"name": name, "about": kind.about, "params": kind.params} for name, kind in FAULTS.items()
    ] + [{"name": "*", "about": "Parameters that any fault takes.", "params": COMMON}]


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=encode(value), status=status, content_type="application/json")
