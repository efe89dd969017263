"""Accounts in the shared store beyond what memory's do: abandoned calls, lost data, its clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from llmitm.policy.accounts import Grant, Unknown
from llmitm.policy.budget import Budget
from llmitm.policy.limits import Kind, Limit
from llmitm.policy.periods import Period
from llmitm.stores.link import Link
from llmitm.stores.remote_accounts import SCRIPTS, RemoteAccounts
from tests.support.valkey import url_of, valkey

SLOT = Limit("key:a", Kind.CONCURRENT, 5)
REQUESTS = Limit("key:a", Kind.REQUESTS, 5)
DAY = Budget("key:a", 1000, Period.DAY, "UTC")


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    with valkey() as server:
        link = Link(url_of(server), SCRIPTS, lambda _up: None)
        task = asyncio.create_task(link.run())
        await link.tried.wait()
        yield link
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_client_that_leaves_while_the_store_is_asked(link: Link) -> None:
    """What it is granted all the same is given back, the request too."""
    accounts = RemoteAccounts(link)
    asking = asyncio.ensure_future(accounts.take([SLOT, REQUESTS], [1, 1]))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await link.send("PING")  # by now the answer has come
    assert (await accounts.level(SLOT)).spent == 0
    assert (await accounts.level(REQUESTS)).spent == 0


async def test_the_stores_own_clock(link: Link) -> None:
    """Without a time the store's counts, so that the clocks of its users need not agree."""
    accounts = RemoteAccounts(link)
    grant = await accounts.take([REQUESTS], [1])
    assert isinstance(grant, Grant)
    assert abs(grant.at - time.time()) < 60
    assert grant.levels[0].until == REQUESTS.until(grant.at)


async def test_lost_data(link: Link) -> None:
    """A settlement of what the store has lost books nothing: the ledger will say it."""
    accounts = RemoteAccounts(link)
    now = time.time()
    await accounts.restore(DAY, (), now)
    grant = await accounts.take([SLOT, DAY], [1, 500], now)
    assert isinstance(grant, Grant)
    await link.send("FLUSHALL")
    levels = await accounts.settle(grant, [0, 200], now)
    assert [level.spent for level in levels] == [0, 0]
    assert await accounts.take([DAY], [1], now) == Unknown([DAY])


async def test_nothing_is_kept_for_ever(link: Link) -> None:
    """Every key has an end: its window's, or its lease's."""
    accounts = RemoteAccounts(link)
    now = time.time()
    await accounts.restore(DAY, [(now, 5)], now)
    grant = await accounts.take([SLOT, REQUESTS, DAY], [1, 1, 1], now)
    assert isinstance(grant, Grant)
    await accounts.renew([grant], now)
    await accounts.settle(grant, [0, 1, 1], now)
    keys = await link.send("KEYS", "*")
    assert isinstance(keys, list)
    assert len(keys) >= 4
    for key in keys:
        assert isinstance(key, bytes)
        left = await link.send("TTL", key)
        assert isinstance(left, int)
        assert 0 < left <= 86_400 + 120, key


async def test_two_processes_never_share_a_name(link: Link) -> None:
    """Grants of different processes can't be taken for one another."""
    a, b = RemoteAccounts(link), RemoteAccounts(link)
    names = {accounts.name() for accounts in (a, b) for _ in range(10)}
    assert len(names) == 20
