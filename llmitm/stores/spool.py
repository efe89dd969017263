"""What waits for the database: an ordered, bounded queue on disk that outlives its process."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from llmitm.stores.segment import SUFFIX, Batch, FileSegment, Line, MemorySegment, Segment

logger = logging.getLogger(__name__)

MAX_BYTES = 256 << 20
SEGMENT_BYTES = 16 << 20
_MEMORY_BYTES = 32 << 20


class Spool:
    """The lines of this process and of dead ones before it, oldest first.

    Every line goes through here, with the database up as with it down, so that what is needed
    after a crash is what runs all the time. One directory serves one ledger; any number of
    processes on a machine share it. Not thread-safe, but for `records`: how many lines wait.
    """

    def __init__(
        self, directory: Path, *, max_bytes: int = MAX_BYTES, segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        """Raises OSError where the directory can't be made or written to."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory = directory
        self.records = 0
        self.damaged = 0
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._own: Segment = FileSegment.create(directory)
        self._segments: deque[Segment] = deque([self._own])
        self.adopt()

    @property
    def size(self) -> int:
        """Bytes of what waits."""
        return sum(segment.size for segment in self._segments)

    def adopt(self) -> int:
        """Take over what dead processes left; returns how many records."""
        found = 0
        held = {segment.path for segment in self._segments if isinstance(segment, FileSegment)}
        for path in sorted(self.directory.glob(f"*{SUFFIX}"), reverse=True):
            segment = None if path in held else FileSegment.adopt(path)
            if segment is not None:
                found += self._take_over(segment)
        if found:
            logger.info("ledger: records of an earlier process found on disk: %d", found)
        return found

    def append(self, lines: Sequence[Line], share: float = 1.0) -> int:
        """Take lines in, as many as fit `share` of the bound; returns how many were refused."""
        room = self._max_bytes * share - self.size
        fit = sum(size <= room for size in accumulate(line.size for line in lines))
        stored = self._store(lines[:fit]) if fit else 0
        self.records += stored
        return len(lines) - stored

    def peek(self, limit: int) -> Batch:
        """The oldest lines, up to `limit`; none where nothing waits."""
        return self._segments[0].peek(limit)

    def advance(self, batch: Batch) -> None:
        """Forget what `peek` gave."""
        self.records -= batch.taken
        self.damaged += batch.damaged
        self._segments[0].advance(batch)
        while not self._segments[0].records and self._segments[0] is not self._own:
            self._segments.popleft().close()

    def close(self) -> None:
        """Let go of all files. What waits stays on disk for the next process."""
        for segment in self._segments:
            segment.close()
        self._segments.clear()

    def _take_over(self, segment: FileSegment) -> int:
        found = segment.records
        self.records += found
        self.damaged += segment.torn
        if found:
            self._segments.appendleft(segment)
        else:
            segment.close()
        return found

    def _store(self, lines: Sequence[Line]) -> int:
        """Put lines where they fit; returns how many found room."""
        own = self._own
        try:
            if isinstance(own, FileSegment) and own.length < self._segment_bytes:
                own.append(lines)
            else:
                self._push(self._begin(lines))
        except OSError as error:
            return self._remember(lines, error)
        return len(lines)

    def _begin(self, lines: Sequence[Line]) -> FileSegment:
        """A new file that holds these lines. Raises OSError and leaves nothing behind."""
        segment = FileSegment.create(self.directory)
        try:
            segment.append(lines)
        except OSError:
            segment.close()
            raise
        return segment

    def _remember(self, lines: Sequence[Line], error: OSError) -> int:
        """Keep in memory what the disk refused: the database may still take it."""
        if not isinstance(self._own, MemorySegment):
            logger.error("ledger: the spool can't be written, records wait in memory: %s", error)
            self._push(MemorySegment())
        if self._own.size >= _MEMORY_BYTES:
            return 0
        self._own.append(lines)
        return len(lines)

    def _push(self, segment: Segment) -> None:
        self._own = segment
        self._segments.append(segment)
        if not self._segments[0].records:
            self._segments.popleft().close()
