"""One worker, as the supervisor sees it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from llmitm.config.load import Loaded
from llmitm.workers import process
from llmitm.workers.channel import Job
from llmitm.workers.process import Worker

Play = Callable[[str], tuple[str, ...]]
Begin = Callable[[str], Awaitable[Worker]]


@pytest.fixture
async def begin(play: Play, loaded: Loaded, tmp_path: Path) -> AsyncIterator[Begin]:
    """Starts a played worker and gives it a job; it is gone after the test."""
    started: list[Worker] = []

    async def begun(part: str) -> Worker:
        worker = await Worker.start(play(part))
        started.append(worker)
        await worker.begin(Job(loaded, tmp_path / "admin.sock"))
        return worker

    yield begun
    for worker in started:
        worker.send_signal(signal.SIGKILL)
        await worker.ended()


async def test_ready(begin: Begin) -> None:
    """A worker serves from when it says so until it is told to end."""
    worker = await begin("serve")
    await worker.ready.wait()
    assert worker.serving
    worker.terminate()
    assert not worker.serving
    assert await worker.ended() == -signal.SIGTERM


async def test_its_own_session(begin: Begin) -> None:
    """Ctrl-C at the terminal reaches the supervisor alone."""
    worker = await begin("serve")
    assert os.getsid(worker.pid) == worker.pid


async def test_failure(begin: Begin) -> None:
    """A worker that can't begin says why, and was never ready."""
    worker = await begin("fail")
    assert await worker.ended() == 1
    assert worker.failure == "no database"
    assert not worker.ready.is_set()
    assert worker.served == 0


async def test_collect(begin: Begin) -> None:
    """Each question brings the newest numbers, several at once too."""
    worker = await begin("serve")
    for _ in range(3):
        await worker.collect()
    await asyncio.gather(*(worker.collect() for _ in range(5)))
    [(_, values)] = worker.tally.rows.values()
    assert values == (8,)


async def test_a_mute_worker(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that doesn't answer holds nobody up for long."""
    monkeypatch.setattr(process, "COLLECT_SECONDS", 0.05)
    worker = await begin("mute")
    await worker.ready.wait()
    await worker.collect()
    assert worker.tally.rows == {}


async def test_a_dead_worker(begin: Begin) -> None:
    """A dead worker is no longer asked, and keeps the numbers it gave."""
    worker = await begin("serve")
    await worker.collect()
    worker.send_signal(signal.SIGKILL)
    assert await worker.ended() == -signal.SIGKILL
    async with asyncio.timeout(process.COLLECT_SECONDS / 2):
        await worker.collect()
    worker.terminate()
    assert len(worker.tally.rows) == 1


async def test_asked_while_it_dies(begin: Begin) -> None:
    """Whoever waits for numbers stops waiting when the worker dies."""
    worker = await begin("mute")
    await worker.ready.wait()
    asking = asyncio.create_task(worker.collect())
    await asyncio.sleep(0)
    worker.send_signal(signal.SIGKILL)
    async with asyncio.timeout(process.COLLECT_SECONDS / 2):
        await asking


async def test_another_version(begin: Begin) -> None:
    """A worker that isn't understood, as after an upgrade, is ended."""
    worker = await begin("babble")
    assert await worker.ended() == -signal.SIGKILL
    assert "another version" in str(worker.failure)


async def test_told_twice(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that ignores being told twice to end is killed."""
    monkeypatch.setattr(process, "HURRY_SECONDS", 0.05)
    worker = await begin("deaf")
    await worker.ready.wait()
    worker.terminate()
    worker.terminate()
    assert await worker.ended() == -signal.SIGKILL


async def test_nothing_to_start() -> None:
    """A command that isn't there is an OSError."""
    with pytest.raises(OSError, match="no-such-program"):
        await Worker.start(("/no-such-program",))
