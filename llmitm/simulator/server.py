"""The simulator's server: from a request to the reply that its fault leaves of it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from aiohttp import web

from llmitm.simulator.control import control
from llmitm.simulator.exchange import Exchange
from llmitm.simulator.faults import OK, UnknownFault
from llmitm.simulator.ids import new_id
from llmitm.simulator.intake import check_key, model_in, read_body
from llmitm.simulator.openai_files import Files
from llmitm.simulator.openai_realtime import converse
from llmitm.simulator.record import Record
from llmitm.simulator.refusals import Refusal, Refused, invalid
from llmitm.simulator.reply import Pause, Reply
from llmitm.simulator.routes import Route, Routes
from llmitm.simulator.selection import Selection
from llmitm.simulator.settings import Settings
from llmitm.simulator.wire import Sent, Wire

_BACKLOG = 1024
_SHUTDOWN = 0.1  # seconds for connections on which nothing is being sent any more


class Simulator:
    """A fake provider that speaks OpenAI, Anthropic and Ollama and fails as it is told to.

    `url` is the base URL once it listens. `requests` holds the latest requests, `total` counts
    all of them. What goes to `/_sim/`, the simulator's own API, is in neither.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.requests: deque[Record] = deque(maxlen=self.settings.keep)
        self.total = 0
        self.url = ""
        self._arrival = asyncio.Event()
        self._running: set[asyncio.Task[Any]] = set()
        self._selection = Selection()
        self._routes = Routes(Files())
        self._protocols: web.Server | None = None
        self._listener: asyncio.Server | None = None

    @property
    def fault(self) -> str | None:
        """The fault of every request that names none itself. Setting it raises UnknownFault."""
        return self._selection.default

    @fault.setter
    def fault(self, spec: str | None) -> None:
        self._selection.default = spec

    @property
    def active(self) -> int:
        """The number of requests that are being answered."""
        return len(self._running)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listens, and returns the base URL. Port 0 is any free one. Raises OSError."""
        self._protocols = web.Server(self._serve, handler_cancellation=True, access_log=None)
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            self._protocols, host, port, backlog=_BACKLOG, reuse_address=True
        )
        bound = self._listener.sockets[0].getsockname()
        name = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        self.url = f"http://{name}:{bound[1]}"
        return self.url

    async def stop(self) -> None:
        """Closes the listener and every connection, whatever is being sent on it."""
        if self._listener is None or self._protocols is None:
            return
        self._listener.close()
        for task in self._running:
            task.cancel()
        await self.settled()
        await self._protocols.shutdown(_SHUTDOWN)
        await self._listener.wait_closed()
        self._listener = self._protocols = None

    async def arrived(self, total: int) -> None:
        """Waits until so many requests have come in."""
        while self.total < total:
            self._arrival.clear()
            await self._arrival.wait()

    async def settled(self) -> None:
        """Waits until no request is being answered."""
        while self._running:
            await asyncio.wait(self._running)

    def reset(self) -> None:
        """Forgets every request, the default fault, and how often each fault was asked for."""
        self.requests.clear()
        self.total = 0
        self._selection.reset()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path.startswith("/_sim/"):
            return await control(self, request)
        record = Record(request.method, request.path_qs, request.headers, time.time())
        self.requests.append(record)
        self.total += 1
        self._arrival.set()
        task = asyncio.current_task()
        if task is not None:
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        try:
            return await self._answer(request, record)
        except ConnectionError:
            record.outcome = "gone"
            return Sent(keep_alive=False)
        except asyncio.CancelledError:
            record.outcome = "gone"
            raise

    async def _answer(self, request: web.BaseRequest, record: Record) -> web.StreamResponse:
        route = self._routes.find(request.method, request.path, request.headers)
        ex, reply = await self._reply(request, record, route)
        reply = self._late(ex, ex.fault.apply(reply))
        wire = Wire(request, ex.fault.number("pace") or self.settings.pace)
        response: web.StreamResponse
        try:
            if reply.dialect == "realtime" and reply.status == 200 and not reply.before:
                record.status = 101
                response = await converse(request, ex, wire)
            else:
                record.status = reply.status
                response = await wire.play(reply)
        finally:
            record.tokens = wire.tokens
        record.outcome = "sent"
        return response

    async def _reply(
        self, request: web.BaseRequest, record: Record, route: Route
    ) -> tuple[Exchange, Reply]:
        """What is asked, and the reply before its fault; a refusal is a reply too."""
        ex = Exchange({}, self.settings, OK, route.last)
        try:
            body = await read_body(request, record, self.settings.keep_body)
            record.model = model_in(body)
            fault = self._selection.pick(request.headers.get("x-sim-fault"), record.model)
            record.fault = fault.name
            ex = Exchange(body, self.settings, fault, route.last)
            check_key(request.headers, self.settings.api_key)
            return ex, route.handler(ex)
        except UnknownFault as unknown:
            return ex, _refusal(route, invalid(str(unknown), "model"))
        except Refused as refused:
            return ex, _refusal(route, refused.refusal)

    def _late(self, ex: Exchange, reply: Reply) -> Reply:
        latency = ex.fault.number("latency", self.settings.latency)
        return replace(reply, before=(Pause(latency), *reply.before)) if latency else reply


async def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    settings: Settings | None = None,
    ready: Callable[[str], object] | None = None,
    fault: str | None = None,
) -> None:
    """Runs a simulator until it is cancelled. Raises OSError where it cannot listen.

    `ready` is called with the base URL once it listens. `fault` is that of every request that
    names none itself; UnknownFault where there is none of that name.
    """
    simulator = Simulator(settings)
    simulator.fault = fault
    url = await simulator.start(host, port)
    if ready is not None:
        ready(url)
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await simulator.stop()


def _refusal(route: Route, refusal: Refusal) -> Reply:
    return Reply(route.dialect, refusal.body(route.dialect, new_id("req_")), status=refusal.status)
