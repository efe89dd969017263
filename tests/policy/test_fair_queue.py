"""Who is next: keys in turn, each key's calls in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from llmitm.policy.fair_queue import FairQueue


def served(queue: FairQueue[int]) -> list[tuple[str, int]]:
    """Everybody, in the order in which they are let in one by one."""
    order = []
    while len(queue):
        key, item = next(queue.heads())
        queue.served(key)
        order.append((key, item))
    return order


def test_keys_take_turns() -> None:
    """A key with many calls doesn't keep another from its first."""
    queue: FairQueue[int] = FairQueue(10)
    for key, item in [("a", 1), ("a", 2), ("a", 3), ("b", 1), ("c", 1), ("c", 2)]:
        assert queue.add(key, item)
    assert served(queue) == [("a", 1), ("b", 1), ("c", 1), ("a", 2), ("c", 2), ("a", 3)]


def test_bounded() -> None:
    """A full queue takes nobody until one has left."""
    queue: FairQueue[int] = FairQueue(2)
    assert [queue.add("a", n) for n in range(3)] == [True, True, False]
    queue.leave("a", 0)
    assert queue.add("a", 3)
    assert served(queue) == [("a", 1), ("a", 3)]


def test_leaving_twice() -> None:
    """Who was served or has left is no longer there to leave."""
    queue: FairQueue[int] = FairQueue(5)
    queue.add("a", 1)
    queue.add("a", 2)
    queue.served("a")
    for _ in range(2):
        queue.leave("a", 1)
        queue.leave("b", 1)
    assert len(queue) == 1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 99)), max_size=30))
def test_nobody_is_overtaken_within_a_key(entries: list[tuple[str, int]]) -> None:
    """Everyone is served once, and no key waits for two calls of another in a row."""
    queue: FairQueue[int] = FairQueue(100)
    for key, item in entries:
        queue.add(key, item)
    order = served(queue)
    for key in "abc":
        assert [e for e in order if e[0] == key] == [e for e in entries if e[0] == key]
    for index, (key, _) in enumerate(order[1:], 1):
        if order[index - 1][0] == key:
            assert all(later == key for later, _ in order[index:])
