"""Connections that are kept, taken again, swept, and counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from llmitm.engine import pool as pool_module
from llmitm.engine.answer import UpstreamError
from llmitm.engine.http1 import Connection
from llmitm.engine.origin import Origin
from llmitm.engine.pool import Pool
from llmitm.policy.outcome import Failure
from tests.support.lines import GET, LENGTH
from tests.support.origin import Caller, Server, serving, until

TIMEOUT = 5.0


@asynccontextmanager
async def pooled() -> AsyncIterator[tuple[Pool, Server, Origin]]:
    """A pool, and a server it may connect to; in the end the pool is empty."""
    async with serving() as server:
        pool = Pool()
        try:
            yield pool, server, Origin("http", "127.0.0.1", server.port)
        finally:
            pool.close()
            assert len(pool) == 0


async def used(pool: Pool, server: Server, origin: Origin) -> tuple[Connection, Caller]:
    """A connection that was asked once and is idle again, and its other end."""
    count = len(server.callers)
    connection = await pool.take(origin, TIMEOUT)
    caller = await server.accept() if len(server.callers) > count else server.callers[-1]
    await ask(connection, caller)
    return connection, caller


async def ask(connection: Connection, caller: Caller, answer: bytes = LENGTH) -> None:
    asking = asyncio.ensure_future(connection.exchange(GET, None))
    await caller.head()
    caller.send(answer)
    await (await asking).read(99)


async def test_a_connection_is_taken_again() -> None:
    """Request after request goes over one connection."""
    async with pooled() as (pool, server, origin):
        first = await pool.take(origin, TIMEOUT)
        caller = await server.accept()
        for _ in range(3):
            await ask(first, caller)
            assert await pool.take(origin, TIMEOUT) is first
        assert (len(pool), len(server.callers)) == (1, 1)


async def test_requests_at_once() -> None:
    """A connection in use is nobody else's; the one used last is the first to be used again."""
    async with pooled() as (pool, server, origin):
        first, second = [await pool.take(origin, TIMEOUT) for _ in range(2)]
        callers = [await server.accept() for _ in range(2)]
        assert first is not second
        await ask(first, callers[0])
        await ask(second, callers[1])
        assert await pool.take(origin, TIMEOUT) is second
        assert await pool.take(origin, TIMEOUT) is first
        assert len(pool) == 2


async def test_fresh() -> None:
    """Whoever asks for a new connection gets one, though another is idle."""
    async with pooled() as (pool, server, origin):
        first, _ = await used(pool, server, origin)
        assert await pool.take(origin, TIMEOUT, fresh=True) is not first
        assert len(pool) == 2


async def test_origins_are_kept_apart() -> None:
    """A connection is used for its own origin only."""
    async with pooled() as (pool, server, origin), serving() as other:
        await used(pool, server, origin)
        await pool.take(Origin("http", "127.0.0.1", other.port), TIMEOUT)
        assert len(other.callers) + len(server.callers) == 2


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_closed_while_idle(how: str) -> None:
    """After the server closed an idle connection the next request goes on a new one."""
    async with pooled() as (pool, server, origin):
        first, caller = await used(pool, server, origin)
        (caller.close if how == "closed" else caller.reset)()
        await until(lambda: not first.is_open)
        second = await pool.take(origin, TIMEOUT)
        assert second is not first
        await ask(second, await server.accept())
        assert len(pool) == 1


async def test_closed_connections_are_forgotten() -> None:
    """However connections end, the pool keeps nothing of them."""
    async with pooled() as (pool, server, origin):
        for answer in (LENGTH.replace(b"1.1", b"1.0", 1), LENGTH, LENGTH[:-1]):
            connection = await pool.take(origin, TIMEOUT)
            caller = await server.accept()
            asking = asyncio.ensure_future(connection.exchange(GET, None))
            await caller.head()
            caller.send(answer)
            (await asking).close()
            caller.close()
            await until(lambda: not pool._origins)
            assert (len(pool), sum(map(len, pool._idle.values()))) == (0, 0)


class Clock:
    """A loop's time that a test can move on."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.later = 0.0
        self._time = loop.time
        loop.time = self.time  # type: ignore[method-assign]

    def time(self) -> float:
        return self._time() + self.later


async def test_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was idle for too long is closed; what was used since stays."""
    monkeypatch.setattr(pool_module, "SWEEP_SECONDS", 0.01)
    async with pooled() as (pool, server, origin):
        old, recent, busy = [await pool.take(origin, TIMEOUT) for _ in range(3)]
        callers = [await server.accept() for _ in range(3)]
        await ask(old, callers[0])
        clock = Clock(asyncio.get_running_loop())
        clock.later = pool_module.IDLE_SECONDS - 1
        await ask(recent, callers[1])
        clock.later += 1.5
        await callers[0].gone()
        assert [c.is_open for c in (old, recent, busy)] == [False, True, True]
        clock.later += pool_module.IDLE_SECONDS
        await callers[1].gone()
        await until(lambda: pool._sweeper is None)
        assert (busy.is_open, len(pool)) == (True, 1)


@pytest.mark.parametrize("moment", range(4))
async def test_cancelled_while_connecting(moment: int) -> None:
    """Whoever gives up before the connection stands leaves nothing in the pool."""
    async with pooled() as (pool, _, origin):
        taking = asyncio.ensure_future(pool.take(origin, TIMEOUT))
        for _ in range(moment):
            await asyncio.sleep(0)
        taking.cancel()
        await asyncio.wait([taking])
        if taking.cancelled():
            assert (len(pool), pool._origins) == (0, {})


async def test_connect_timeout() -> None:
    """A connection that doesn't stand in time is a failure of its own, and is gone."""
    async with pooled() as (pool, server, _origin):
        secure = Origin("https", "127.0.0.1", server.port)
        with pytest.raises(
            UpstreamError, match=r"no connection to 127.0.0.1 within 0.05 s"
        ) as seen:
            await pool.take(secure, 0.05)  # the server never answers the handshake
        assert seen.value.failure is Failure.CONNECT_TIMEOUT
        await (await server.accept()).gone()
        assert len(pool) == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "name.invalid", "a" * 300])
async def test_no_connection(host: str) -> None:
    """A refusal or a name that doesn't resolve is a connection that never stood."""
    async with serving() as server:
        port = server.port
    pool = Pool()
    with pytest.raises(UpstreamError) as caught:
        await pool.take(Origin("http", host, port), TIMEOUT)
    assert caught.value.failure is Failure.CONNECT
    assert len(pool) == 0


async def test_closing_the_pool() -> None:
    """Closing ends every connection, in use or idle, and who waits for an answer hears so."""
    async with pooled() as (pool, server, origin):
        _, idle_end = await used(pool, server, origin)
        busy = await pool.take(origin, TIMEOUT, fresh=True)
        busy_end = await server.accept()
        asking = asyncio.ensure_future(busy.exchange(GET, None))
        await busy_end.head()
        pool.close()
        await idle_end.gone()
        await busy_end.gone()
        with pytest.raises(UpstreamError, match="closed"):
            await asking
