"""The inspectors of workers are asked over their sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from llmitm.config.load import load
from llmitm.inspector.worker import Peers
from tests.support.gateway import DEFAULT_POLICIES, default_settings, write
from tests.support.inspectors import Fleet, serving


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    settings = default_settings("http://127.0.0.1:9")
    settings["listen"]["inspector"] = "127.0.0.1:0"
    async with serving(load(write(tmp_path, settings, DEFAULT_POLICIES), {}), tmp_path) as fleet:
        yield fleet


async def test_all_are_asked(fleet: Fleet) -> None:
    """Path, query and body reach each of them unchanged."""
    fleet.workers[1].status = 404
    answers = await Peers(fleet).ask("PUT", "/flows/00-ab?x=%2F", "application/json", b"{}")
    assert [answer.status for answer in answers] == [200, 404]
    assert fleet.asked() == [[("PUT", "/flows/00-ab?x=%2F", "{}")]] * 2


async def test_options_are_told(fleet: Fleet) -> None:
    """A worker that starts later hears what an operator has set, if anything."""
    peers = Peers(fleet)
    (first, _) = peers.sockets
    await peers.tell_options(first)
    assert fleet.asked() == [[], []]
    peers.options["intercept"] = "~q"
    await peers.tell_options(first)
    ((method, path, body),) = fleet.workers[0].asked
    assert (method, path, json.loads(body)) == ("PUT", "/options", {"intercept": "~q"})
