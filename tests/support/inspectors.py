"""Stand-ins for the inspectors of two workers, and the page that speaks for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from llmitm.admin.server import listening
from llmitm.config.load import Loaded
from llmitm.inspector import front
from llmitm.runtime import INSPECTOR_SUFFIX


class Worker:
    """Answers on a Unix socket what a test says, and keeps what it was asked."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.socket = folder / f"{name}.sock"
        self.status = 200
        self.answer: Any = None
        self.asked: list[tuple[str, str, str]] = []
        self.browsers: list[web.WebSocketResponse] = []
        self.app = web.Application()
        self.app.router.add_get("/updates", self.updates)
        self.app.router.add_route("*", "/{path:.*}", self.reply)

    async def reply(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, str(request.rel_url), await request.text()))
        return web.json_response(self.answer, status=self.status)

    async def updates(self, request: web.Request) -> web.WebSocketResponse:
        """Say which flows a filter matches: the one that has this worker's name."""
        browser = web.WebSocketResponse()
        await browser.prepare(request)
        self.browsers.append(browser)
        async for message in browser:
            payload = message.json()["payload"]
            ids = [self.name] if payload["expr"] else None
            said = {"name": payload["name"], "matching_flow_ids": ids}
            await browser.send_json({"type": "flows/filterUpdate", "payload": said})
        return browser


class Fleet:
    """What a supervisor has. `url` is the page's."""

    def __init__(self, loaded: Loaded, folder: Path) -> None:
        self.loaded = loaded
        self.workers = [Worker(name, folder) for name in ("a", "b")]
        self.sockets = [worker.socket for worker in self.workers]
        self.url = ""

    def asked(self) -> list[list[tuple[str, str, str]]]:
        return [worker.asked for worker in self.workers]


@asynccontextmanager
async def serving(loaded: Loaded, folder: Path) -> AsyncIterator[Fleet]:
    fleet = Fleet(loaded, folder)
    async with AsyncExitStack() as stack:
        for worker in fleet.workers:
            runner = await stack.enter_async_context(listening(worker.app))
            socket = worker.socket.with_suffix(INSPECTOR_SUFFIX)
            await web.UnixSite(runner, str(socket)).start()
        listen = loaded.gateway.listen.inspector
        assert listen is not None
        address = await stack.enter_async_context(front.serving(fleet, listen))
        fleet.url = f"http://127.0.0.1:{address.port}"
        yield fleet
