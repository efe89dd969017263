"""Who is next of those that wait: one of each key in turn, each key's in the order they came."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator


class FairQueue[T]:
    """A bounded queue in which no key waits for the many calls of another."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._waiting: OrderedDict[str, deque[T]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, key: str, item: T) -> bool:
        """Queue an item; False where the queue is full."""
        if self._size >= self._bound:
            return False
        self._waiting.setdefault(key, deque()).append(item)
        self._size += 1
        return True

    def heads(self) -> Iterator[tuple[str, T]]:
        """The next item of each key, the key whose turn it is first."""
        return iter([(key, items[0]) for key, items in self._waiting.items()])

    def served(self, key: str) -> None:
        """Take off the next item of `key`, whose turn is then after all others'."""
        self._waiting[key].popleft()
        self._size -= 1
        if self._waiting[key]:
            self._waiting.move_to_end(key)
        else:
            del self._waiting[key]

    def leave(self, key: str, item: T) -> None:
        """Take off an item that waits no more. Ignored where it was served."""
        items = self._waiting.get(key)
        if items is None or item not in items:
            return
        items.remove(item)
        self._size -= 1
        if not items:
            del self._waiting[key]
