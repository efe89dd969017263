"""A bounded store that forgets what is too old, and first what was not asked for the longest."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry[V]:
    """A value, its size in bytes, and when it was put here."""

    value: V
    size: int
    at: float


class Lru[V]:
    """Values by key, each for `ttl` seconds. `bytes` is the size of all that are held."""

    def __init__(self, ttl: float, max_entries: int, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._ttl = ttl
        self._max_entries = max_entries
        self._entries: OrderedDict[bytes, Entry[V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: bytes, now: float) -> Entry[V] | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        if now - entry.at >= self._ttl:
            self._forget(key)
            return None
        self._entries.move_to_end(key)
        return entry

    def put(self, key: bytes, value: V, size: int, now: float) -> None:
        """Keep a value in the place of an older one; not where it is larger than all the room."""
        if key in self._entries:
            self._forget(key)
        if size > self.max_bytes:
            return
        self._entries[key] = Entry(value, size, now)
        self.bytes += size
        while self.bytes > self.max_bytes or len(self._entries) > self._max_entries:
            self._forget(next(iter(self._entries)))

    def _forget(self, key: bytes) -> None:
        self.bytes -= self._entries.pop(key).size
