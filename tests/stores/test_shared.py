"""The state that calls are decided by, opened as the configuration says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from llmitm.config.gateway import Store
from llmitm.policy.accounts import Grant
from llmitm.policy.limits import Kind, Limit
from llmitm.stores.shared import Shared
from tests.support.valkey import url_of, valkey

SECONDS = 40
SLOT = Limit("key:a", Kind.CONCURRENT, 1)


def opened(url: str, tmp_path: Path) -> Shared:
    store = Store(ledger=f"sqlite:///{tmp_path / 'ledger.db'}", shared=url)
    return Shared(store, lambda _seconds: True, lambda _target, _opened: None)


async def used(shared: Shared) -> None:
    ready = asyncio.Event()
    running = asyncio.create_task(shared.run(ready))
    await asyncio.wait_for(ready.wait(), SECONDS)
    shared.tell("sim/m", True)
    grant = await shared.limits.take([SLOT], [1])
    assert isinstance(grant, Grant)
    assert (await shared.limits.settle(grant, [0]))[0].spent == 0
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await shared.close()


async def test_memory(tmp_path: Path) -> None:
    """Nothing else is needed."""
    shared = opened("memory", tmp_path)
    assert shared.up
    await used(shared)


async def test_valkey(tmp_path: Path) -> None:
    """The store is connected to before it is ready."""
    with valkey() as server:
        shared = opened(url_of(server), tmp_path)
        heard: list[bool] = []
        shared.linked = heard.append
        await used(shared)
        assert heard == [True, False]


@pytest.mark.parametrize("port", [1])
async def test_nobody_there(tmp_path: Path, port: int) -> None:
    """It is ready all the same, with what this process has."""
    shared = opened(f"redis://127.0.0.1:{port}", tmp_path)
    await used(shared)
    assert not shared.up
