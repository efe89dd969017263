"""Hedged attempts: when no first token comes in time, the next target races the first.

After Dean and Barroso, "The Tail at Scale" (2013).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from llmitm.call import Target
from llmitm.engine.attempt import Ready
from llmitm.engine.failure import AttemptFailed

Attempting = Callable[[Target], Awaitable[Ready]]


async def race(
    attempt: Attempting,
    first: Target,
    second: Target,
    after: float,
    failed: Callable[[Target, AttemptFailed], None],
) -> Ready:
    """The answer that is ready first; `second` starts after `after` seconds.

    The slower attempt is cancelled. `failed` hears of an attempt that failed while the other one
    still runs. Raises AttemptFailed of the last one when both fail, or of `first` when it fails
    before `second` started.
    """
    tasks = {asyncio.ensure_future(attempt(first)): first}
    try:
        done, _ = await asyncio.wait(tasks, timeout=after)
        if not done:
            tasks[asyncio.ensure_future(attempt(second))] = second
        while True:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                fault = task.exception()
                if len(tasks) == 1 or not isinstance(fault, AttemptFailed):
                    del tasks[task]
                    return task.result()
                failed(tasks.pop(task), fault)
    finally:
        for task in tasks:
            task.cancel()
            task.add_done_callback(_close_late)


def _close_late(task: asyncio.Future[Ready]) -> None:
    """An attempt that was ready in the moment it was cancelled holds a connection."""
    if not task.cancelled() and task.exception() is None:
        ready = task.result()
        ready.attempt.error = "cancelled"
        ready.attempt.produced = ready.stream.text if ready.stream else ""
        ready.close()
