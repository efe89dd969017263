"""The admin listener of a gateway of several workers: it asks them, and speaks for all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector, web
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder

from llmitm.admin import merged
from llmitm.admin.server import guarded, json_errors, listening, on_address
from llmitm.config.load import Loaded
from llmitm.workers.totals import registry_of

READY_SECONDS = 1.0
ANSWER_SECONDS = 60.0
_OF_ONE_HOP = frozenset(
    ("connection", "content-length", "host", "keep-alive", "transfer-encoding", "upgrade")
) | {"accept-encoding"}


class Fleet(Protocol):
    """The workers; `sockets` are those of the ones that accept calls now."""

    loaded: Loaded
    drained: set[str]
    stopping: asyncio.Event

    @property
    def sockets(self) -> list[Path]: ...

    async def metrics(self) -> Iterable[Metric]: ...


@asynccontextmanager
async def serving(fleet: Fleet) -> AsyncIterator[tuple[str, int]]:
    """Serve while the context lasts; gives the address. Raises OSError where it is taken."""
    async with listening(build(fleet)) as runner:
        yield await on_address(runner, fleet.loaded.gateway.listen.admin)


def build(fleet: Fleet) -> web.Application:
    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(request: web.Request) -> web.Response:
        """Ready while a worker is: the others' share of the calls is its, too."""
        asked = (_ready(request, socket) for socket in fleet.sockets)
        answers = [answer for answer in await asyncio.gather(*asked) if answer is not None]
        detail = merged.readiness(answers, fleet.loaded.gateway.workers)
        ready = bool(answers) and not fleet.stopping.is_set()
        status = "ready" if ready else "draining" if fleet.stopping.is_set() else "starting"
        return web.json_response({"status": status, "detail": detail}, status=200 if ready else 503)

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        body = await asyncio.to_thread(encode, registry_of(await fleet.metrics()))
        return web.Response(body=body, headers={"content-type": content_type})

    async def targets(request: web.Request) -> web.StreamResponse:
        replies = [await _ask(request, socket) for socket in _some(fleet)]
        bad = next((reply for reply in replies if reply[0] >= 400), None)
        status, answer = bad or (200, merged.targets([answer for _, answer in replies]))
        if request.method == "POST" and bad is None:
            _remember(fleet.drained, await request.json())
        return web.json_response(answer, status=status)

    async def to_all(request: web.Request) -> web.StreamResponse:
        replies = [await _ask(request, socket) for socket in _some(fleet)]
        status, answer = max(replies, key=lambda reply: reply[0])
        return web.json_response(answer, status=status)

    async def to_one(request: web.Request) -> web.StreamResponse:
        return await _relay(request, _some(fleet)[0])

    app = web.Application(middlewares=[guarded(fleet.loaded.gateway), json_errors])
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    # Every worker has to hear of these; any other request is answered by one of them.
    app.router.add_route("*", "/admin/targets", targets)
    app.router.add_post("/admin/config/reload", to_all)
    app.router.add_route("*", "/{path:.*}", to_one)
    return app


def _some(fleet: Fleet) -> list[Path]:
    """The sockets of the workers, where there are any."""
    sockets = fleet.sockets
    if not sockets:
        raise web.HTTPServiceUnavailable(text="No worker accepts calls now; try again.")
    return sockets


@asynccontextmanager
async def _session(socket: Path, seconds: float) -> AsyncIterator[ClientSession]:
    connector = UnixConnector(str(socket))
    timeout = ClientTimeout(total=seconds)
    async with ClientSession(connector=connector, timeout=timeout) as session:
        try:
            yield session
        except (ClientError, TimeoutError) as fault:
            text = "The worker that was asked did not answer; try again."
            raise web.HTTPBadGateway(text=text) from fault


async def _ask(request: web.Request, socket: Path) -> tuple[int, Any]:
    """What a worker answers: status and JSON."""
    body = await request.read()
    async with (
        _session(socket, ANSWER_SECONDS) as session,
        session.request(request.method, request.url, data=body, headers=_headers(request)) as reply,
    ):
        return reply.status, await reply.json()


async def _ready(request: web.Request, socket: Path) -> Any:
    """What a worker says of its readiness; None where it isn't ready, or doesn't say."""
    try:
        async with (
            _session(socket, READY_SECONDS) as session,
            session.get(request.url) as reply,
        ):
            return await reply.json() if reply.status == 200 else None
    except web.HTTPBadGateway:
        return None


async def _relay(request: web.Request, socket: Path) -> web.StreamResponse:
    body = await request.read()
    async with (
        _session(socket, ANSWER_SECONDS) as session,
        session.request(request.method, request.url, data=body, headers=_headers(request)) as reply,
    ):
        answer = web.StreamResponse(status=reply.status, headers=_headers(reply))
        await answer.prepare(request)
        async for part in reply.content.iter_any():
            await answer.write(part)
        await answer.write_eof()
        return answer


def _headers(message: Any) -> dict[str, str]:
    """The headers that are meant for the other end, not for this connection."""
    return {k: v for k, v in message.headers.items() if k.lower() not in _OF_ONE_HOP}


def _remember(drained: set[str], change: dict[str, Any]) -> None:
    """Workers that start later are to know which targets are drained."""
    if change["action"] == "drain":
        drained.add(change["target"])
    elif change["action"] == "undrain":
        drained.discard(change["target"])
