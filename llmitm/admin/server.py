"""Starts and stops the admin listener."""

from __future__ import annotations

import hmac
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware

from llmitm.admin import calls, config, health, keys, targets, usage, users
from llmitm.config.address import Address, is_loopback
from llmitm.config.schema import Gateway

if TYPE_CHECKING:
    from llmitm.master import GatewayMaster

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
_PORT = re.compile(r":\d*\Z")
OWN_SITE = ("none", "same-origin")  # what a browser calls a request that no other page made


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
    for part in (health, config, targets, keys, users, usage, calls):
        part.routes(app, master)
    return app


def guarded(gateway: Gateway) -> Middleware:
    """Lets in who has the admin token; without one configured, who comes over loopback."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path not in OPEN_PATHS and not allowed(request, gateway):
            return web.json_response({"error": _remedy(gateway)}, status=401)
        return await handler(request)

    return guard


def allowed(request: web.Request, gateway: Gateway) -> bool:
    if gateway.admin_token is None:
        return gateway.listen.admin.is_loopback and not from_web_page(request)
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    token = presented.strip().encode("utf-8", "surrogateescape")
    known = gateway.admin_token.reveal().encode()
    return hmac.compare_digest(token, known) and scheme.lower() == "bearer"


def from_web_page(request: web.Request) -> bool:
    """Whether a browser asks on behalf of some page, which may send requests to loopback too.

    A page that has its own name resolve to loopback (DNS rebinding) is told by that name.
    """
    if "origin" in request.headers:
        return True
    host = _PORT.sub("", request.host)
    return request.headers.get("sec-fetch-site", "none") not in OWN_SITE or not is_loopback(host)


def _remedy(gateway: Gateway) -> str:
    if gateway.admin_token is None:
        return (
            "Without an admin_token in gateway.yaml this is for programs on the gateway's own "
            "machine that connect to a loopback address."
        )
    return "Send admin_token of gateway.yaml: Authorization: Bearer TOKEN."


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
