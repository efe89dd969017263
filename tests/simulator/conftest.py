"""A running simulator, and ways to speak to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from llmitm.simulator import Settings, Simulator
from tests.simulator.raw import Connection, Post, Start


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    running: list[Simulator] = []

    async def started(settings: Settings) -> Simulator:
        simulator = Simulator(settings)
        running.append(simulator)
        await simulator.start()
        return simulator

    yield started
    for simulator in running:
        await simulator.stop()


@pytest.fixture
async def sim(start: Start) -> Simulator:
    return await start(Settings())


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def post(sim: Simulator, http: aiohttp.ClientSession) -> Post:
    async def send(path: str, body: Any, **headers: str) -> aiohttp.ClientResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        reply = await http.post(sim.url + path, json=body, headers=named)
        await reply.read()
        return reply

    return send


@pytest.fixture
async def connection(sim: Simulator) -> AsyncIterator[Connection]:
    host, port = sim.url.removeprefix("http://").split(":")
    opened = Connection(*await asyncio.open_connection(host, int(port)))
    yield opened
    opened.close()
