"""Passes what the workers tell of their calls on to a browser."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import msgspec
from mitmproxy.tools.web import app
from tornado.websocket import WebSocketClosedError

from llmitm.inspector.worker import NoAnswer, Peers, Updates, updates

LOOK_SECONDS = 0.5  # how often it is looked whether there are other workers now
RESET = b'{"type":"flows/reset"}'


class Relay(app.WebSocketEventBroadcaster):
    """One browser, and a connection to each worker for it.

    A browser that reads slowly is waited for, so that each worker knows it is behind.
    """

    def open(self, *args: str, **kwargs: str) -> None:
        self._filters: dict[str, str] = {}
        self._matching: dict[str, dict[Path, list[str]]] = {}
        self._workers: dict[Path, Updates] = {}
        self._task = asyncio.get_running_loop().create_task(self._run())

    def on_close(self) -> None:
        self._task.cancel()

    async def on_message(self, message: str | bytes) -> None:
        """The browser shows other calls from now on."""
        asked = msgspec.json.decode(message)
        self._filters[asked["payload"]["name"]] = asked["payload"]["expr"]
        await self._ask_what_matches()

    @property
    def _peers(self) -> Peers:
        peers: Peers = self.application.settings["peers"]
        return peers

    async def _run(self) -> None:
        """Have a connection to every worker, also to those that start later, until cancelled."""
        with self._peers.watching(self):
            async with asyncio.TaskGroup() as group:
                following: dict[Path, asyncio.Task[None]] = {}
                while True:
                    for socket in self._peers.sockets:
                        if socket not in following or following[socket].done():
                            following[socket] = group.create_task(self._follow(socket))
                    await asyncio.sleep(LOOK_SECONDS)

    async def _follow(self, socket: Path) -> None:
        with contextlib.suppress(NoAnswer, WebSocketClosedError):
            await self._peers.tell_options(socket)
            async with updates(socket) as worker:
                self._workers[socket] = worker
                await self.write_message(RESET)  # it may have calls that were not read yet
                await self._ask_what_matches()
                async for message in worker.messages():
                    await self._pass_on(socket, message)
        self._workers.pop(socket, None)

    async def _pass_on(self, socket: Path, message: str) -> None:
        if message.startswith('{"type": "flows/filterUpdate"'):
            said = msgspec.json.decode(message)
            payload = said["payload"]
            matching = self._matching.setdefault(payload["name"], {})
            if payload["matching_flow_ids"] is not None:
                matching[socket] = payload["matching_flow_ids"]
                payload["matching_flow_ids"] = [one for ids in matching.values() for one in ids]
            message = msgspec.json.encode(said).decode()
        await self.write_message(message)
        if message.startswith('{"type": "flows/reset"'):
            await self._ask_what_matches()

    async def _ask_what_matches(self) -> None:
        """Have every worker say anew which of its calls the browser shows.

        One worker's answer alone would take the others' calls off the page.
        """
        self._matching.clear()
        for worker in list(self._workers.values()):
            for name, expression in self._filters.items():
                await worker.show(name, expression)
