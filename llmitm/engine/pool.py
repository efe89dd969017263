"""Connections that are kept alive, per origin, and used again."""

from __future__ import annotations

import asyncio
import ssl

from llmitm.engine.answer import UpstreamError
from llmitm.engine.dial import Dialer
from llmitm.engine.http1 import Connection
from llmitm.engine.origin import Origin
from llmitm.policy.outcome import Failure

IDLE_SECONDS = 60.0
SWEEP_SECONDS = 15.0


class Pool:
    """Kept-alive connections per origin. Not bounded: the edge bounds the calls."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._dialer = Dialer(tls)
        self._idle: dict[Origin, list[Connection]] = {}
        self._origins: dict[Connection, Origin] = {}
        self._sweeper: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Open connections, in use or idle."""
        return sum(connection.is_open for connection in self._origins)

    async def take(self, origin: Origin, timeout: float, *, fresh: bool = False) -> Connection:
        """A connection to `origin`, kept alive or, with `fresh`, new for sure.

        Raises UpstreamError, after at most `timeout` seconds.
        """
        idle = None if fresh else self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.is_open:
                return connection
        try:
            async with asyncio.timeout(timeout):
                return await self._connect(origin)
        except TimeoutError:
            raise UpstreamError(
                Failure.CONNECT_TIMEOUT, f"no connection to {origin.host} within {timeout:g} s"
            ) from None
        except (OSError, ValueError) as fault:
            what = f"{type(fault).__name__}: {fault}"[:200]
            raise UpstreamError(Failure.CONNECT, what) from fault

    def close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._origins):
            connection.close()
        self._idle.clear()
        self._origins.clear()

    async def _connect(self, origin: Origin) -> Connection:
        connection = Connection(self._release, self._forget)
        self._origins[connection] = origin
        try:
            await self._dialer.open(origin, connection)
        except BaseException:
            self._forget(connection)
            connection.close()
            raise
        return connection

    def _release(self, connection: Connection) -> None:
        origin = self._origins.get(connection)
        if origin is None:
            connection.close()  # the pool was closed meanwhile
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle.setdefault(origin, []).append(connection)
        if self._sweeper is None:
            self._sweeper = loop.call_later(SWEEP_SECONDS, self._sweep)

    def _forget(self, connection: Connection) -> None:
        origin = self._origins.pop(connection, None)
        idle = self._idle.get(origin) if origin is not None else None
        if idle and connection in idle:
            idle.remove(connection)

    def _sweep(self) -> None:
        """Close what was idle for too long."""
        loop = asyncio.get_running_loop()
        old = loop.time() - IDLE_SECONDS
        for origin, idle in list(self._idle.items()):
            for connection in idle:
                if connection.idle_since <= old:
                    connection.close()
            self._idle[origin] = [c for c in idle if c.is_open]
        self._idle = {origin: idle for origin, idle in self._idle.items() if idle}
        self._sweeper = loop.call_later(SWEEP_SECONDS, self._sweep) if self._idle else None
