"""The inspector of a gateway of several workers: one page, which shows the calls of all of them.

Each worker has an inspector of its own, on a Unix socket. What the page asks for is asked of all
of them here, and their answers are put together; who gets in is decided here, too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import msgspec
from mitmproxy.tools.web import app
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from llmitm.config.address import Address
from llmitm.inspector.relay import Relay
from llmitm.inspector.site import MAX_UPLOAD, Application, Rule, page_handlers, password_for
from llmitm.inspector.worker import Answer, Fleet, NoAnswer, Peers

_ID = r"/flows/[0-9a-f\-]+"


@contextmanager
def _reachable() -> Iterator[None]:
    """Raises APIError where a worker is not, or there is none."""
    try:
        yield
    except NoAnswer as fault:
        raise app.APIError(503, "A worker does not answer; try again.") from fault


class _Asking(app.RequestHandler):
    """Asks the workers what it was asked itself."""

    @property
    def peers(self) -> Peers:
        peers: Peers = self.application.settings["peers"]
        return peers

    async def ask(self) -> list[Answer]:
        """What every worker says."""
        request = self.request
        kind = request.headers.get("Content-Type")
        with _reachable():
            return await self.peers.ask(
                request.method or "", request.uri or "/", kind, request.body
            )

    def say(self, answer: Answer) -> None:
        self.set_status(answer.status)
        for name, value in answer.headers.items():
            self.set_header(name, value)
        self.write(answer.body)


class _All(_Asking):
    """What every worker is told: the worst of their answers tells how it went."""

    async def post(self) -> None:
        self.say(max(await self.ask(), key=lambda answer: answer.status))


class _Same(_Asking):
    """What every worker says the same of."""

    async def get(self) -> None:
        self.say((await self.ask())[0])


class _Options(_Same):
    async def put(self) -> None:
        answer = max(await self.ask(), key=lambda answer: answer.status)
        if answer.status < 400:
            self.peers.options |= self.json
        self.say(answer)


class _Joined(_Asking):
    """Lists, as one in the order of time."""

    async def get(self) -> None:
        found = [item for answer in await self.ask() for item in msgspec.json.decode(answer.body)]
        self.write(sorted(found, key=lambda item: item.get("timestamp_created", 0)))


class _Dump(_Asking):
    """Files of flows, which can be written one after the other."""

    async def get(self) -> None:
        answers = await self.ask()
        first = max(answers, key=lambda answer: answer.status)
        self.say(first)
        for answer in answers:
            if first.status < 400 and answer is not first:
                self.write(answer.body)

    async def post(self) -> None:
        """Show the flows of a file: one worker does, and the others show nothing."""
        kind = self.request.headers.get("Content-Type")
        with _reachable():
            answer = await self.peers.load(kind, self.request.body)
        self.say(answer)


class _One(_Asking):
    """What is asked of one flow: the worker that has it answers."""

    async def _pass_on(self) -> None:
        self.say(min(await self.ask(), key=lambda answer: answer.status == 404))

    get = post = put = delete = _pass_on


class _Command(_Asking):
    """A command names flows that one worker has; the others say that there are none."""

    async def post(self) -> None:
        answers = await self.ask()
        self.say(max(answers, key=lambda answer: bool(_value(answer))))


def _value(answer: Answer) -> Any:
    return answer.status < 400 and msgspec.json.decode(answer.body).get("value")


def _handlers() -> list[Rule]:
    return [
        *page_handlers(),
        (r"/filter-help(?:\.json)?", app.FilterHelp),
        (r"/updates", Relay),
        (r"/(?:commands|state)(?:\.json)?", _Same),
        (r"/options(?:\.json)?", _Options),
        (r"/commands/[a-z.]+", _Command),
        (r"/(?:events|flows)(?:\.json)?", _Joined),
        (r"/flows/dump", _Dump),
        (r"/(?:flows/resume|flows/kill|clear|options/save)", _All),
        (rf"{_ID}(?:/.*)?", _One),
    ]


@asynccontextmanager
async def serving(fleet: Fleet, listen: Address) -> AsyncIterator[Address]:
    """Serve while the context lasts; gives the address. Raises OSError where it is taken."""
    sockets = bind_sockets(listen.port, listen.host)
    address = Address(*sockets[0].getsockname()[:2])
    given = fleet.loaded.gateway.inspector.password
    password = password_for(address, given.reveal() if given else None)
    peers = Peers(fleet)
    application = Application(None, _handlers(), password, address.port, peers=peers)
    server = HTTPServer(application, max_buffer_size=MAX_UPLOAD)
    server.add_sockets(sockets)
    try:
        yield address
    finally:
        server.stop()
        for browser in list(peers.browsers):
            browser.close()
        await server.close_all_connections()
