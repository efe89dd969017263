"""The supervisor, with workers that are played."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import aiohttp
import pytest

from llmitm.config.address import Address
from llmitm.config.load import Loaded
from llmitm.workers.slot import GaveUp
from llmitm.workers.supervisor import Supervisor

Play = Callable[[str], tuple[str, ...]]
Run = Callable[[str], Awaitable[Supervisor]]


@pytest.fixture
async def run(play: Play, loaded: Loaded) -> AsyncIterator[Run]:
    """Runs a supervisor whose workers play a part, until the end of the test."""
    running: list[tuple[Supervisor, asyncio.Task[None]]] = []

    async def begun(part: str) -> Supervisor:
        supervisor = Supervisor(loaded, {}, play(part))
        task = asyncio.create_task(supervisor.run())
        running.append((supervisor, task))
        await supervisor.ready.wait()
        return supervisor

    yield begun
    for supervisor, task in running:
        if not supervisor.stopping.is_set():
            supervisor.end()
        await task


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(6000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError


async def scrape(supervisor: Supervisor) -> dict[str, float]:
    host, port = supervisor.admin_address
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{host}:{port}/metrics") as reply,
    ):
        lines = (await reply.text()).splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


async def test_all_are_ready(run: Run) -> None:
    """Is ready once every worker is, on addresses that are known then."""
    supervisor = await run("serve")
    assert len(supervisor.sockets) == 2
    assert supervisor.address.port
    assert supervisor.admin_address[1]


async def test_metrics_add_up(run: Run) -> None:
    """Numbers of all workers are summed, and no killed worker takes them back."""
    supervisor = await run("serve")
    assert (await scrape(supervisor))["calls_total"] == 2
    assert (await scrape(supervisor))["calls_total"] == 4
    victim = supervisor.workers[0]
    os.kill(victim.pid, signal.SIGKILL)
    await victim.ended()
    seen = (await scrape(supervisor))["calls_total"]
    assert seen >= 5
    await until(lambda: supervisor.workers[0] is not victim and supervisor.workers[0].serving)
    now = await scrape(supervisor)
    assert now["calls_total"] == seen + 2
    assert now["llmitm_worker_restarts_total"] == 1
    assert now["process_open_fds"] > 0


async def test_drained_targets(run: Run) -> None:
    """A worker that starts later knows which targets are drained, and the newest policies."""
    supervisor = await run("serve")
    supervisor.drained.add("sim/a")
    assert supervisor.job(0).drained == {"sim/a"}
    assert supervisor.job(1).seen.keys() >= set(supervisor.loaded.policies.files)


async def test_hangup(run: Run) -> None:
    """Every worker is told to read the policies again."""
    supervisor = await run("hangup")
    supervisor.reload()
    for worker in supervisor.workers:
        await worker.collect()
        assert worker.failure == "hung up"


async def test_no_worker_can_begin(play: Play, loaded: Loaded) -> None:
    """Says why, once, and nothing is left running."""
    supervisor = Supervisor(loaded, {}, play("fail"))
    with pytest.raises(GaveUp, match="no database"):
        await supervisor.run()
    assert supervisor.sockets == []


@pytest.mark.parametrize("listener", ["gateway", "admin"])
async def test_a_taken_port(play: Play, loaded: Loaded, listener: str) -> None:
    """A port that is taken is named, and no worker is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address(*taken.getsockname())
        listen = loaded.gateway.listen.model_copy(update={listener: address})
        gateway = loaded.gateway.model_copy(update={"listen": listen})
        supervisor = Supervisor(replace(loaded, gateway=gateway), {}, play("serve"))
        with pytest.raises(GaveUp, match=f"can't listen on {address}: .*in use"):
            await supervisor.run()
    assert supervisor.workers == []


async def test_ended_while_starting(play: Play, loaded: Loaded) -> None:
    """An end that comes before any worker is ready is an end like any other."""
    supervisor = Supervisor(loaded, {}, play("serve"))
    running = asyncio.create_task(supervisor.run())
    await until(lambda: bool(supervisor.workers))
    supervisor.end()
    await running
