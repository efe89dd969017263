"""Where the hot path leaves records for the ledger's thread."""

from __future__ import annotations

import asyncio
from collections import deque

from llmitm.call import CallRecord
from llmitm.stores.row import ContentRecord

Entry = CallRecord | ContentRecord


class Intake:
    """A bounded queue from any thread to one event loop. Appending never waits."""

    def __init__(self, limit: int) -> None:
        self.dropped = 0
        self._limit = limit
        self._queue: deque[Entry] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle = False
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._queue)

    def append(self, entry: Entry) -> None:
        """Leave an entry; counted as dropped where the queue is full or closed."""
        if len(self._queue) >= self._limit:
            self.dropped += 1
            return
        self._queue.append(entry)
        # Waking costs a system call: it is left to the first entry after a rest.
        if self._idle and self._loop is not None:
            self._idle = False
            self._loop.call_soon_threadsafe(self._arrived.set)

    def oldest(self, limit: int) -> list[Entry]:
        """The oldest entries, up to `limit`; they count as here until they are dropped."""
        return [self._queue[n] for n in range(min(limit, len(self._queue)))]

    def drop(self, number: int) -> None:
        """Forget so many of the oldest entries: they are safe elsewhere."""
        for _ in range(number):
            self._queue.popleft()

    def close(self) -> None:
        """Take nothing more."""
        self._limit = 0

    async def wait(self) -> None:
        """Return once there is something to take."""
        self._loop = asyncio.get_running_loop()
        self._arrived.clear()
        # Idle is announced before the last look, so that no entry slips in between.
        self._idle = True
        if not self._queue:
            await self._arrived.wait()
        self._idle = False
