"""The admin listener of a gateway of several workers: it asks them, and speaks for all."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector, web
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder

from llmitm.admin import merged
from llmitm.admin.server import guarded, json_errors, listening, on_address
from llmitm.config.load import Loaded
from llmitm.workers.totals import registry_of

SHORT_SECONDS = 1.0
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


@dataclass(frozen=True)
class Answer:
    """What one worker said."""

    status: int
    content_type: str | None
    body: bytes

    def passed_on(self) -> web.Response:
        headers = {"content-type": self.content_type} if self.content_type else {}
        return web.Response(status=self.status, body=self.body or None, headers=headers)


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

    async def targets(request: web.Request) -> web.Response:
        answers = await _ask_all(request, _some(fleet))
        bad = next((answer for answer in answers if answer.status >= 400), None)
        if bad is not None:
            return bad.passed_on()
        if request.method == "POST":
            _remember(fleet.drained, await request.json())
        return web.json_response(merged.targets([json.loads(a.body) for a in answers]))

    async def reload(request: web.Request) -> web.Response:
        answers = await _ask_all(request, _some(fleet))
        return max(answers, key=lambda answer: answer.status).passed_on()

    async def other(request: web.Request) -> web.Response:
        """What one of them knows is what all know; of what it changes, they hear at once."""
        first, *others = _some(fleet)
        answer = await _ask(request, first)
        if request.method not in ("GET", "HEAD") and answer.status < 400:
            await asyncio.gather(*(_refresh(request, socket) for socket in others))
        return answer.passed_on()

    app = web.Application(middlewares=[guarded(fleet.loaded.gateway), json_errors])
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    app.router.add_route("*", "/admin/targets", targets)
    app.router.add_post("/admin/config/reload", reload)
    app.router.add_route("*", "/{path:.*}", other)
    return app


def _some(fleet: Fleet) -> list[Path]:
    """The sockets of the workers, where there are any."""
    sockets = fleet.sockets
    if not sockets:
        raise web.HTTPServiceUnavailable(text="No worker accepts calls now; try again.")
    return sockets


async def _ask_all(request: web.Request, sockets: list[Path]) -> list[Answer]:
    await request.read()  # once; from here on it is at hand
    return await asyncio.gather(*(_ask(request, socket) for socket in sockets))


async def _ask(request: web.Request, socket: Path) -> Answer:
    """What a worker answers to the same request. Raises HTTPBadGateway where it doesn't."""
    headers = {k: v for k, v in request.headers.items() if k.lower() not in _OF_ONE_HOP}
    body = await request.read()
    try:
        return await _send(request.method, request.url, headers, body, socket, ANSWER_SECONDS)
    except (ClientError, TimeoutError) as fault:
        text = "The worker that was asked did not answer; try again."
        raise web.HTTPBadGateway(text=text) from fault


async def _ready(request: web.Request, socket: Path) -> Any:
    """What a worker says of its readiness; None where it isn't ready, or doesn't say."""
    try:
        answer = await _send("GET", request.url, {}, b"", socket, SHORT_SECONDS)
    except (ClientError, TimeoutError):
        return None
    return json.loads(answer.body) if answer.status == 200 else None


async def _refresh(request: web.Request, socket: Path) -> None:
    """Have a worker look at the keys and users now; one that can't does within a second anyway."""
    token = {"authorization": request.headers.get("authorization", "")}
    url = request.url.with_path("/admin/keys/refresh")
    with contextlib.suppress(ClientError, TimeoutError):
        await _send("POST", url, token, b"", socket, SHORT_SECONDS)


async def _send(
    method: str, url: Any, headers: dict[str, str], body: bytes, socket: Path, seconds: float
) -> Answer:
    async with (
        ClientSession(
            connector=UnixConnector(str(socket)), timeout=ClientTimeout(total=seconds)
        ) as session,
        session.request(method, url, data=body or None, headers=headers) as reply,
    ):
        return Answer(reply.status, reply.headers.get("content-type"), await reply.read())


def _remember(drained: set[str], change: dict[str, Any]) -> None:
    """Workers that start later are to know which targets are drained."""
    if change["action"] == "drain":
        drained.add(change["target"])
    elif change["action"] == "undrain":
        drained.discard(change["target"])
