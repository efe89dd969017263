"""One place of a gateway: a worker, and the next one when it dies."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from llmitm.config.load import Loaded
from llmitm.workers import restarts
from llmitm.workers.channel import Job
from llmitm.workers.process import Worker
from llmitm.workers.slot import GaveUp, Slot

Play = Callable[[str], tuple[str, ...]]
PATIENCE = 60.0


class Place:
    """A slot whose workers play the parts of a list, the last one again and again."""

    def __init__(self, play: Play, loaded: Loaded, *parts: str) -> None:
        self.play, self.loaded = play, loaded
        self.parts = list(parts)
        self.started: list[Worker] = []
        self.lost: list[Worker] = []
        self.stopping, self.go = asyncio.Event(), asyncio.Event()
        self.another = asyncio.Event()
        self.slot = Slot(0, self.start, self.begin, self.lost.append, self.stopping)
        self.go.set()

    async def start(self, _index: int) -> Worker:
        part = self.parts.pop(0) if len(self.parts) > 1 else self.parts[0]
        worker = await Worker.start(self.play(part))
        self.started.append(worker)
        self.another.set()
        return worker

    async def begin(self, _index: int, worker: Worker) -> None:
        await worker.begin(Job(self.loaded, Path("admin.sock")))

    def keep(self, patience: float = PATIENCE) -> asyncio.Task[None]:
        return asyncio.create_task(self.slot.keep(self.go, patience))

    def stop(self) -> None:
        self.stopping.set()
        if self.slot.worker is not None:
            self.slot.worker.terminate()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarts, "FIRST_DELAY", 0.001)


async def test_the_next_one(play: Play, loaded: Loaded) -> None:
    """A worker that dies is counted as lost, and another one takes its place."""
    place = Place(play, loaded, "serve")
    keeping = place.keep()
    await place.slot.ready.wait()
    place.another.clear()
    place.started[0].send_signal(signal.SIGKILL)
    await place.another.wait()
    await place.started[1].ready.wait()
    assert place.slot.worker is place.started[1]
    place.stop()
    await keeping
    assert place.lost == place.started


async def test_a_crash_loop(play: Play, loaded: Loaded) -> None:
    """Gives up when one worker after the other dies soon after its start."""
    place = Place(play, loaded, "brief")
    with pytest.raises(GaveUp, match="again and again, the last one ended with code 4"):
        await place.keep()
    assert len(place.started) == restarts.MOST_DEATHS


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ("fail", "^no database$"),
        ("crash", "ended with code 3 before it was ready"),
        ("babble", "another version"),
    ],
)
async def test_the_first_one_fails(play: Play, loaded: Loaded, part: str, why: str) -> None:
    """A first worker that can't begin isn't started again: the operator hears why."""
    place = Place(play, loaded, part)
    with pytest.raises(GaveUp, match=why):
        await place.keep()
    assert len(place.started) == 1


async def test_a_later_one_fails(play: Play, loaded: Loaded) -> None:
    """A worker that can't begin where another one could is tried again."""
    place = Place(play, loaded, "brief", "fail", "serve")
    keeping = place.keep()
    await place.slot.ready.wait()
    while len(place.started) < 3:
        await place.another.wait()
        place.another.clear()
    await place.started[2].ready.wait()
    assert place.lost[1].failure == "no database"
    place.stop()
    await keeping


async def test_waits_for_its_turn(play: Play, loaded: Loaded) -> None:
    """The process is started at once, and gets its job when it may begin."""
    place = Place(play, loaded, "serve")
    place.go.clear()
    keeping = place.keep()
    await place.another.wait()
    assert not place.slot.ready.is_set()
    place.go.set()
    await place.slot.ready.wait()
    place.stop()
    await keeping


async def test_stopped_before_its_turn(play: Play, loaded: Loaded) -> None:
    """A process that never got a job ends too."""
    place = Place(play, loaded, "serve")
    place.go.clear()
    keeping = place.keep()
    await place.another.wait()
    place.stop()
    await keeping
    assert len(place.lost) == 1


async def test_one_that_does_not_end(play: Play, loaded: Loaded) -> None:
    """A worker that goes on for longer than it may is killed."""
    place = Place(play, loaded, "deaf")
    keeping = place.keep(patience=0.05)
    await place.slot.ready.wait()
    place.stop()
    await keeping
    assert await place.started[0].ended() == -signal.SIGKILL
