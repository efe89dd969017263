"""The one connection of a process to the shared store, Redis or Valkey.

All calls share it: commands are written as they come and answered in order, so that many of them
take one round trip, and one written later never overtakes. A store that doesn't answer within
`PATIENCE` is away, for everybody at once, until a connection to it stands again.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import parse_qs, unquote, urlsplit

from llmitm.stores.lua import Script
from llmitm.stores.resp import Argument, Parser, ProtocolFault, Reply, ReplyError, encode

logger = logging.getLogger(__name__)

# Long enough for a store whose machine is busy: while it is away each process has limits of its
# own, and several together admit more than one may. A call waits so long once at most.
PATIENCE = 1.0  # seconds
# A busy event loop looks at its clock before it looks at what has come.
GRACE = 0.01
CONNECT_SECONDS = 2.0
RETRY_FIRST, RETRY_MOST = 0.1, 2.0
DEFAULT_PORT = 6379


class StoreDown(Exception):
    """The shared store doesn't answer, or can't do its work."""


class Refused(StoreDown):
    """It answered with an error."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store is: `path` for a Unix socket, else host and port. `login` is AUTH's."""

    host: str
    port: int
    path: str | None
    tls: bool
    login: tuple[str, ...]
    database: int


def address_of(url: str) -> Address:
    """The address in ``redis://user:password@host:port/0``, ``rediss://…`` or ``unix:///path``."""
    parts = urlsplit(url)
    local = parts.scheme == "unix"
    number = parse_qs(parts.query).get("db", ["0"])[0] if local else parts.path.strip("/")
    login = tuple(unquote(text) for text in (parts.username, parts.password) if text)
    return Address(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or DEFAULT_PORT,
        path=parts.path if local else None,
        tls=parts.scheme in ("rediss", "valkeys"),
        login=login,
        database=int(number or 0),
    )


class Connection(asyncio.Protocol):
    """Commands out, replies in, in order."""

    def __init__(self) -> None:
        self._parser = Parser()
        self._waiting: deque[tuple[asyncio.Future[Reply], float]] = deque()
        self._transport: asyncio.Transport | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._warned = False
        self.patience = CONNECT_SECONDS
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._warned = False
        try:
            replies = self._parser.feed(data)
        except (ProtocolFault, ValueError) as fault:
            self.drop(f"not a store: {fault}")
            return
        for reply in replies:
            future, _ = self._waiting.popleft()
            if future.done():
                continue
            if isinstance(reply, ReplyError):
                future.set_exception(Refused(str(reply)))
            else:
                future.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self.drop(str(exc) if exc else "it closed the connection")

    def send(self, *arguments: Argument) -> asyncio.Future[Reply]:
        """Send a command; its reply to come. Fails with StoreDown."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Reply] = loop.create_future()
        if self._transport is None or self.lost.done():
            future.set_exception(StoreDown("the connection is lost"))
            return future
        # Not the loop's time: uvloop's is that of its last turn.
        self._waiting.append((future, time.monotonic()))
        self._transport.write(encode(*arguments))
        if self._watch is None:
            self._watch = loop.call_later(self.patience, self._look)
        return future

    def drop(self, reason: str) -> None:
        """Give the connection up: whoever waits hears so now."""
        if self._watch is not None:
            self._watch.cancel()
        if not self.lost.done():
            self.lost.set_result(reason)
        if self._transport is not None:
            self._transport.abort()
        while self._waiting:
            future, _ = self._waiting.popleft()
            if not future.done():
                future.set_exception(StoreDown(reason))

    def _look(self) -> None:
        """Give up when the oldest command waited too long."""
        loop = asyncio.get_running_loop()
        self._watch = None
        if not self._waiting:
            return
        left = self._waiting[0][1] + self.patience - time.monotonic()
        if left <= 0 and self._warned:
            self.drop(f"no answer for {self.patience * 1000:.0f} ms")
            return
        self._warned = left <= 0
        self._watch = loop.call_later(max(left, GRACE), self._look)


class Link:
    """Keeps a connection to the store, or tries to. `changed(up)` hears of both ends."""

    def __init__(
        self, url: str, scripts: Sequence[Script], changed: Callable[[bool], None]
    ) -> None:
        self._address = address_of(url)
        self._scripts = scripts
        self._changed = changed
        self._connection: Connection | None = None
        self.tried = asyncio.Event()

    @property
    def up(self) -> bool:
        return self._connection is not None

    def send(self, *arguments: Argument) -> asyncio.Future[Reply]:
        """Send a command; its reply to come. Fails with StoreDown, and raises it at once when down.

        An error that the store answers with means that it can't do its work: it is given up.
        """
        connection = self._connection
        if connection is None:
            raise StoreDown("the shared store is away")
        future = connection.send(*arguments)
        future.add_done_callback(lambda done: self._judge(connection, done))
        return future

    def run_script(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]
    ) -> asyncio.Future[Reply]:
        """Send the call of a script, as `send` does."""
        return self.send("EVALSHA", script.sha, len(keys), *keys, *arguments)

    async def run(self) -> None:
        """Connect, and again whenever the connection is lost, until cancelled."""
        delay = RETRY_FIRST
        said = False
        while True:
            try:
                connection = await self._connect()
            except (OSError, StoreDown, TimeoutError) as fault:
                if not said:
                    logger.warning(
                        "shared store: can't be reached, limits are local: %s", _say(fault)
                    )
                    self._changed(False)
                said = True
                self.tried.set()
                await asyncio.sleep(delay * random.uniform(0.5, 1.0))
                delay = min(2 * delay, RETRY_MOST)
                continue
            delay, said = RETRY_FIRST, True
            await self._use(connection)

    async def _use(self, connection: Connection) -> None:
        started = time.monotonic()
        self._connection = connection
        logger.info("shared store: connected")
        self._changed(True)
        self.tried.set()
        try:
            reason = await asyncio.shield(connection.lost)
            lasted = time.monotonic() - started
            logger.error("shared store: away after %.0f s, limits are local: %s", lasted, reason)
        finally:
            connection.drop("closed")
            self._connection = None
            self._changed(False)

    async def _connect(self) -> Connection:
        """A connection that is logged in and knows the scripts."""
        address, loop = self._address, asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_SECONDS):
            if address.path is not None:
                _, connection = await loop.create_unix_connection(Connection, address.path)
            else:
                context = ssl.create_default_context() if address.tls else None
                _, connection = await loop.create_connection(
                    Connection, address.host, address.port, ssl=context
                )
            try:
                await self._greet(connection)
            except BaseException:
                connection.drop("refused")
                raise
        connection.patience = PATIENCE
        return connection

    async def _greet(self, connection: Connection) -> None:
        if self._address.login:
            await connection.send("AUTH", *self._address.login)
        await connection.send("SELECT", self._address.database)
        for script in self._scripts:
            await connection.send("SCRIPT", "LOAD", script.text)

    def _judge(self, connection: Connection, done: asyncio.Future[Reply]) -> None:
        fault = None if done.cancelled() else done.exception()
        if isinstance(fault, Refused):
            connection.drop(str(fault))


def _say(fault: BaseException) -> str:
    return str(fault) or type(fault).__name__
