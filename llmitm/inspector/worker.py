"""The inspectors of the workers, as the page that speaks for all of them asks them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec
from aiohttp import (
    ClientError,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    UnixConnector,
    WSMsgType,
)
from yarl import URL

from llmitm.config.load import Loaded
from llmitm.runtime import INSPECTOR_SUFFIX

ANSWER_SECONDS = 60.0
_HOST = "http://localhost"
_PASSED_ON = ("Content-Type", "Content-Disposition")


class NoAnswer(Exception):
    """A worker does not answer; the supervisor may be starting another in its place."""


class Fleet(Protocol):
    """The workers; `sockets` are those of the ones that accept calls now."""

    loaded: Loaded

    @property
    def sockets(self) -> list[Path]: ...


class Browser(Protocol):
    """A browser that is told of every change."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Answer:
    """What one worker said."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Peers:
    """`options` are those that an operator has set, which workers that start later are to hear."""

    fleet: Fleet
    browsers: set[Browser] = field(default_factory=set)
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def sockets(self) -> list[Path]:
        return [path.with_suffix(INSPECTOR_SUFFIX) for path in self.fleet.sockets]

    async def ask(self, method: str, path: str, kind: str | None, body: bytes) -> list[Answer]:
        """What every worker answers. Raises NoAnswer where one doesn't, or there is none."""
        sockets = self._some()
        return await asyncio.gather(*(_ask(s, method, path, kind, body) for s in sockets))

    async def load(self, kind: str | None, body: bytes) -> Answer:
        """Have the first worker show the flows of a file, and the others nothing.

        Raises NoAnswer where one doesn't answer, or there is none.
        """
        first, *others = self._some()
        await asyncio.gather(*(_ask(socket, "POST", "/clear", None, b"") for socket in others))
        return await _ask(first, "POST", "/flows/dump", kind, body)

    async def tell_options(self, socket: Path) -> None:
        """Tell a worker that may not have been there what an operator has set."""
        if self.options:
            body = msgspec.json.encode(self.options)
            await _ask(socket, "PUT", "/options", "application/json", body)

    def _some(self) -> list[Path]:
        if not (sockets := self.sockets):
            raise NoAnswer
        return sockets

    @contextlib.contextmanager
    def watching(self, browser: Browser) -> Iterator[None]:
        self.browsers.add(browser)
        try:
            yield
        finally:
            self.browsers.discard(browser)


class Updates:
    """A worker's stream of changes."""

    def __init__(self, connection: ClientWebSocketResponse) -> None:
        self._connection = connection

    async def show(self, name: str, expression: str) -> None:
        """Ask which of its calls a filter matches, from now on."""
        payload = {"name": name, "expr": expression}
        with contextlib.suppress(ConnectionError):  # whoever reads the stream finds out
            await self._connection.send_json({"type": "flows/updateFilter", "payload": payload})

    async def messages(self) -> AsyncIterator[str]:
        async for message in self._connection:
            if message.type is WSMsgType.TEXT:
                yield message.data


@contextlib.asynccontextmanager
async def updates(socket: Path) -> AsyncIterator[Updates]:
    """A connection to a worker. Raises NoAnswer where there is none."""
    with _answering():
        async with (
            _session(socket, None) as session,
            session.ws_connect(f"{_HOST}/updates", max_msg_size=0) as connection,
        ):
            yield Updates(connection)


async def _ask(socket: Path, method: str, path: str, kind: str | None, body: bytes) -> Answer:
    headers = {"Content-Type": kind} if kind else {}
    url = URL(_HOST + path, encoded=True)
    with _answering():
        async with (
            _session(socket) as session,
            session.request(method, url, data=body or None, headers=headers) as reply,
        ):
            passed_on = {k: v for k in _PASSED_ON if (v := reply.headers.get(k))}
            return Answer(reply.status, passed_on, await reply.read())


def _session(socket: Path, seconds: float | None = ANSWER_SECONDS) -> ClientSession:
    return ClientSession(connector=UnixConnector(str(socket)), timeout=ClientTimeout(total=seconds))


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (ClientError, OSError) as fault:  # TimeoutError is one
        raise NoAnswer from fault
