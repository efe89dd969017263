"""The queue between the hot path and the ledger's thread."""

from __future__ import annotations

import asyncio
import threading

from llmitm.stores.intake import Entry, Intake
from tests.stores.records import SECONDS, make


def test_bound() -> None:
    """Beyond its limit, and once closed, entries are counted and not taken."""
    intake = Intake(2)
    calls = [make() for _ in range(3)]
    for call in calls:
        intake.append(call)
    assert (len(intake), intake.dropped) == (2, 1)
    assert intake.oldest(10) == calls[:2]
    assert len(intake) == 2
    intake.drop(2)
    intake.close()
    intake.append(calls[2])
    assert (len(intake), intake.dropped) == (0, 2)


async def test_wakes() -> None:
    """Whoever waits is woken from another thread, and finds every entry."""
    intake = Intake(100_000)
    calls = [make() for _ in range(200)]
    taken: list[Entry] = []

    def append() -> None:
        for call in calls:
            intake.append(call)

    thread = threading.Thread(target=append)
    thread.start()
    while len(taken) < len(calls):
        await asyncio.wait_for(intake.wait(), SECONDS)
        found = intake.oldest(7)
        intake.drop(len(found))
        taken += found
    thread.join()
    assert taken == calls


async def test_does_not_wait_for_what_is_there() -> None:
    """An entry that came before the wait ends it at once."""
    intake = Intake(10)
    intake.append(make())
    await asyncio.wait_for(intake.wait(), SECONDS)
    assert len(intake.oldest(10)) == 1
