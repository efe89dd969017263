"""The store of answers, against a naive one that sorts what it holds."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from llmitm.policy.lru import Lru

TTL, MAX_ENTRIES, MAX_BYTES = 10.0, 4, 100
KEYS = st.sampled_from([b"a", b"b", b"c", b"d", b"e", b"f"])


@dataclass
class Known:
    value: int
    size: int
    at: float
    used: int


class Model(RuleBasedStateMachine):
    """Puts, gets and pauses in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.lru = Lru[int](TTL, MAX_ENTRIES, MAX_BYTES)
        self.known: dict[bytes, Known] = {}
        self.now = 1000.0
        self.steps = 0

    def size(self) -> int:
        return sum(known.size for known in self.known.values())

    @rule(seconds=st.sampled_from([0.0, 0.5, 4.0, 9.5, 10.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(key=KEYS, value=st.integers(), size=st.integers(0, MAX_BYTES + 10))
    def put(self, key: bytes, value: int, size: int) -> None:
        self.steps += 1
        self.lru.put(key, value, size, self.now)
        self.known.pop(key, None)
        if size <= MAX_BYTES:
            self.known[key] = Known(value, size, self.now, self.steps)
        while self.size() > MAX_BYTES or len(self.known) > MAX_ENTRIES:
            del self.known[min(self.known, key=lambda k: self.known[k].used)]

    @rule(key=KEYS)
    def get(self, key: bytes) -> None:
        self.steps += 1
        entry = self.lru.get(key, self.now)
        known = self.known.get(key)
        if known is None or self.now - known.at >= TTL:
            assert entry is None
            self.known.pop(key, None)
        else:
            assert entry is not None
            assert (entry.value, entry.size, entry.at) == (known.value, known.size, known.at)
            known.used = self.steps

    @precondition(lambda self: self.known)
    @rule()
    def get_the_oldest(self) -> None:
        self.get(min(self.known, key=lambda k: self.known[k].used))

    @invariant()
    def is_bounded(self) -> None:
        assert (len(self.lru), self.lru.bytes) == (len(self.known), self.size())
        assert len(self.lru) <= MAX_ENTRIES
        assert self.lru.bytes <= MAX_BYTES


Model.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestModel = Model.TestCase


@pytest.mark.parametrize(("age", "found"), [(0.0, True), (9.999, True), (10.0, False)])
def test_age(age: float, found: bool) -> None:
    """A value is there for exactly its time."""
    lru = Lru[str](TTL, 1, 1)
    lru.put(b"a", "x", 1, 5.0)
    assert (lru.get(b"a", 5.0 + age) is not None) == found
    assert len(lru) == int(found)


def test_too_large() -> None:
    """A value larger than all the room leaves the others, but for the one it was to replace."""
    lru = Lru[str](TTL, 3, 10)
    for key in (b"a", b"b"):
        lru.put(key, "x", 5, 0.0)
    lru.put(b"a", "y", 11, 0.0)
    assert lru.get(b"a", 0.0) is None
    assert lru.get(b"b", 0.0) is not None
