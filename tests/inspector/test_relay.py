"""What workers tell of their calls reaches a browser, as if it came from one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from llmitm.config.load import load
from llmitm.inspector import relay
from tests.support.gateway import DEFAULT_POLICIES, default_settings, write
from tests.support.inspectors import Fleet, serving

SECONDS = 15


@pytest.fixture
async def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fleet]:
    monkeypatch.setattr(relay, "LOOK_SECONDS", 0.01)
    settings = default_settings("http://127.0.0.1:9")
    settings["listen"]["inspector"] = "127.0.0.1:0"
    async with serving(load(write(tmp_path, settings, DEFAULT_POLICIES), {}), tmp_path) as fleet:
        yield fleet


@pytest.fixture
async def browser(fleet: Fleet) -> AsyncIterator[ClientConnection]:
    async with connect(fleet.url.replace("http", "ws") + "/updates") as browser:
        yield browser


async def heard(browser: ClientConnection, kind: str) -> Any:
    async with asyncio.timeout(SECONDS):
        while (message := json.loads(await browser.recv()))["type"] != kind:
            pass
    return message.get("payload")


async def connected(browser: ClientConnection, workers: int = 2) -> None:
    """The page reads all anew for each worker that was found."""
    for _ in range(workers):
        await heard(browser, "flows/reset")


async def matching(browser: ClientConnection, wanted: set[str]) -> None:
    """Wait until the filter matches these flows."""
    while set((await heard(browser, "flows/filterUpdate"))["matching_flow_ids"]) != wanted:
        pass


async def show(browser: ClientConnection, expression: str) -> None:
    payload = {"name": "search", "expr": expression}
    await browser.send(json.dumps({"type": "flows/updateFilter", "payload": payload}))


async def test_messages_pass(fleet: Fleet, browser: ClientConnection) -> None:
    """Each worker's are passed on as they are."""
    await connected(browser)
    for worker in fleet.workers:
        message = {"type": "flows/add", "payload": {"flow": worker.name}}
        await worker.browsers[0].send_json(message)
        assert await heard(browser, "flows/add") == message["payload"]


async def test_filters(fleet: Fleet, browser: ClientConnection) -> None:
    """What a filter matches is what it matches in all workers, and none is none."""
    await connected(browser)
    await show(browser, "~q")
    await matching(browser, {"a", "b"})
    await show(browser, "")
    assert (await heard(browser, "flows/filterUpdate"))["matching_flow_ids"] is None


async def test_a_worker_that_begins_anew(fleet: Fleet, browser: ClientConnection) -> None:
    """When one worker has the page read all anew, the others' matches stay."""
    await connected(browser)
    await show(browser, "~q")
    await matching(browser, {"a", "b"})
    # As a worker's own inspector writes it.
    await fleet.workers[0].browsers[0].send_str('{"type": "flows/reset"}')
    await matching(browser, {"a", "b"})


async def test_workers_that_start_later(fleet: Fleet, browser: ClientConnection) -> None:
    """They are found, and told what the browser shows."""
    second = fleet.sockets.pop()
    await connected(browser, 1)
    await show(browser, "~q")
    await matching(browser, {"a"})
    fleet.sockets.append(second)
    await matching(browser, {"a", "b"})


async def test_a_worker_that_dies(fleet: Fleet, browser: ClientConnection) -> None:
    """It is looked for again."""
    await connected(browser)
    await fleet.workers[0].browsers[0].close()
    await connected(browser, 1)
    assert len(fleet.workers[0].browsers) == 2
