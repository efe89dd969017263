"""Circuits that several processes open and close together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from llmitm.stores import shared_circuits as module
from llmitm.stores.link import Link
from llmitm.stores.shared_circuits import SharedCircuits
from tests.support.valkey import url_of, valkey


class Process:
    """One gateway's circuits."""

    def __init__(self, link: Link, name: str) -> None:
        self.heard: list[tuple[str, bool]] = []
        self.circuits = SharedCircuits(link, name, self.follow)

    def follow(self, target: str, opened: bool) -> None:
        self.heard.append((target, opened))

    async def tell(self, target: str, opened: bool) -> None:
        self.circuits.tell(target, opened)
        await asyncio.gather(*self.circuits._telling)


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    with valkey() as server:
        link = Link(url_of(server), (), lambda _up: None)
        task = asyncio.create_task(link.run())
        await link.tried.wait()
        yield link
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_others_follow(link: Link) -> None:
    """Once, the newest state of each target; who said it doesn't."""
    a, b = Process(link, "a"), Process(link, "b")
    await a.tell("x", True)
    await a.tell("y", True)
    await a.tell("y", False)
    for _ in range(2):
        await a.circuits.look()
        await b.circuits.look()
    assert sorted(b.heard) == [("x", True), ("y", False)]
    assert a.heard == []
    await b.tell("x", False)
    await a.circuits.look()
    assert a.heard == [("x", False)]


async def test_old_news_is_none(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that starts later learns for itself about circuits that opened long ago."""
    a, late = Process(link, "a"), Process(link, "late")
    await a.tell("x", True)
    monkeypatch.setattr(module, "FRESH_SECONDS", -1.0)
    await late.circuits.look()
    assert late.heard == []


async def test_an_emptied_store(link: Link) -> None:
    """Numbers that begin again are followed again."""
    a, b = Process(link, "a"), Process(link, "b")
    for _ in range(3):
        await a.tell("x", True)
    await b.circuits.look()
    await link.send("FLUSHALL")
    await a.tell("x", False)
    await b.circuits.look()
    assert b.heard == [("x", True), ("x", False)]
