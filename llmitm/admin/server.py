"""Starts and stops the admin listener."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from llmitm.admin import calls, config, health, targets, usage
from llmitm.config.address import Address
from llmitm.config.schema import Gateway

if TYPE_CHECKING:
    from llmitm.master import GatewayMaster

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})


@asynccontextmanager
async def serving(master: GatewayMaster) -> AsyncIterator[tuple[str, int]]:
    """Serve the admin API while the context lasts; gives the address it listens on.

    A worker among several serves it to the supervisor: on a Unix socket, whose port is 0.
    """
    async with listening(build(master)) as runner:
        if master.admin_socket is not None:
            await web.UnixSite(runner, master.admin_socket).start()
            yield str(master.admin_socket), 0
        else:
            yield await on_address(runner, master.loaded.gateway.listen.admin)


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[web.AppRunner]:
    """A runner, ready for sites, that ends with the context."""
    runner = web.AppRunner(app, access_log=None)
    try:
        await runner.setup()
        yield runner
    finally:
        await runner.cleanup()


async def on_address(runner: web.AppRunner, address: Address) -> tuple[str, int]:
    """Listen on `address`; returns it with its real port. Raises OSError where it is taken."""
    await web.TCPSite(runner, address.host, address.port).start()
    host, port, *_ = runner.addresses[0]
    return host, port


def build(master: GatewayMaster) -> web.Application:
    app = web.Application(middlewares=[guarded(master.loaded.gateway), json_errors])
    for part in (health, config, targets, usage, calls):
        part.routes(app, master)
    return app


def guarded(gateway: Gateway) -> Middleware:
    """Lets in who has the admin token; without one configured, who comes over loopback."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in OPEN_PATHS and not allowed(request, gateway):
            return web.json_response(
                {"error": "Send admin_token of gateway.yaml: Authorization: Bearer TOKEN."},
                status=401,
            )
        return await handler(request)

    return guard


def allowed(request: web.Request, gateway: Gateway) -> bool:
    if gateway.admin_token is None:
        return gateway.listen.admin.is_loopback and "origin" not in request.headers
    presented = request.headers.get("authorization", "").removeprefix("Bearer ")
    return hmac.compare_digest(presented.encode(), gateway.admin_token.reveal().encode())


@web.middleware
async def json_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as fault:
        if fault.status < 400:
            raise
        return web.json_response({"error": fault.text or fault.reason}, status=fault.status)
    except (ValueError, msgspec.DecodeError) as fault:
        return web.json_response({"error": str(fault)}, status=400)
