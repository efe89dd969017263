"""Which requests are the same, and what clients say of it."""

from __future__ import annotations

import json
import random
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.policy.cache import (
    OPERATIONS,
    Sharing,
    Wish,
    fingerprint,
    repeatable,
    sharers,
    wish_of,
)

ASKED: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "temperature": 0.5,
}
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)
BODIES = st.dictionaries(st.text(max_size=3), VALUES, max_size=5)


def shuffled(value: Any, order: random.Random) -> Any:
    """The same JSON value with the fields of its objects in another order."""
    if isinstance(value, dict):
        names = list(value)
        order.shuffle(names)
        return {name: shuffled(value[name], order) for name in names}
    return [shuffled(one, order) for one in value] if isinstance(value, list) else value


def chat(body: Any, *, stream: bool = False) -> bytes:
    return fingerprint("chat", body, stream=stream)


@given(BODIES, st.randoms())
def test_order_does_not_matter(body: dict[str, Any], order: random.Random) -> None:
    """A request is the same whatever the order of its fields, at every depth."""
    assert chat(shuffled(body, order)) == chat(body)


@given(BODIES, BODIES)
def test_content_matters(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Two requests are the same exactly where their JSON is."""
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (chat(one) == chat(other)) == same


@given(st.lists(st.none() | st.text(max_size=3), max_size=4).map(tuple), BODIES, BODIES)
def test_nothing_runs_together(
    beside: tuple[str | None, ...], one: dict[str, Any], other: dict[str, Any]
) -> None:
    """What is beside the body counts, and can't be taken for another's."""
    key = fingerprint("chat", one, stream=False, beside=beside)
    assert key != fingerprint("chat", one, stream=False, beside=(*beside, None))
    assert key != fingerprint("chat", {**other, "x-more": 1}, stream=False, beside=beside)


@pytest.mark.parametrize(
    ("operation", "stream", "more", "same"),
    [
        ("chat", False, {"user": "ava"}, True),
        ("chat", False, {"metadata": {"a": 1}}, True),
        ("chat", True, {"safety_identifier": "x", "prompt_cache_key": "y"}, True),
        ("chat", False, {"stream": False}, True),
        ("chat", False, {"stream_options": {"include_usage": True}}, True),
        ("chat", True, {"stream_options": {"include_usage": True}}, False),
        ("chat", False, {"temperature": 0.6}, False),
        ("chat", False, {"model": "n"}, False),
        ("chat", False, {"seed": 1}, False),
        ("messages", False, {"metadata": {"user_id": "ava"}}, True),
        ("responses", False, {"metadata": {"a": "1"}}, False),
        ("responses", False, {"user": "ava"}, False),
        ("responses", False, {"stream": False}, True),
    ],
)
def test_what_counts(operation: str, stream: bool, more: dict[str, Any], same: bool) -> None:
    """Who asks doesn't count, unless the answer repeats it; all that changes the answer does."""
    key = fingerprint(operation, ASKED, stream=stream)
    assert (fingerprint(operation, {**ASKED, **more}, stream=stream) == key) == same


def test_streams_are_apart() -> None:
    """A stream is another answer than a whole one, and each operation's is its own."""
    keys = {fingerprint(o, ASKED, stream=s) for o in OPERATIONS for s in (False, True)}
    assert len(keys) == 2 * len(OPERATIONS)


@pytest.mark.parametrize(
    ("operation", "more", "may"),
    [
        ("chat", {}, True),
        ("embed", {}, True),
        ("images", {}, False),
        ("audio", {}, False),
        ("count_tokens", {}, False),
        ("responses", {"previous_response_id": "resp_1"}, True),
        ("responses", {"background": False}, True),
        ("responses", {"background": True}, False),
        ("responses", {"conversation": "conv_1"}, False),
        ("messages", {"container": "c_1"}, False),
    ],
)
def test_repeatable(operation: str, more: dict[str, Any], may: bool) -> None:
    """What changes something elsewhere, or goes on after the answer, is always asked."""
    assert repeatable(operation, {**ASKED, **more}) == may


@pytest.mark.parametrize(
    ("sharing", "user", "team", "expected"),
    [
        ("key", "u", "t", "key:k"),
        ("user", "u", "t", "user:u"),
        ("user", None, "t", "key:k"),
        ("team", "u", "t", "team:t"),
        ("team", "u", None, "key:k"),
        ("global", None, None, "global"),
    ],
)
def test_sharers(sharing: Sharing, user: str | None, team: str | None, expected: str) -> None:
    """Who has no user or team shares with nobody."""
    assert sharers(sharing, "k", user, team) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", Wish()),
        ("public", Wish()),
        ("no-cache", Wish(read=False)),
        ("No-Cache, no-transform", Wish(read=False)),
        ("no-store", Wish(read=False, keep=False)),
        ("no-cache,no-store", Wish(read=False, keep=False)),
        ("max-age=60", Wish(max_age=60)),
        ("max-age=0", Wish(max_age=0)),
        ("max-age=60, max-age=5", Wish(max_age=5)),
        ("max-age=soon", Wish()),
        ("max-age=-1", Wish()),
        ("no-cache-please", Wish()),
    ],
)
def test_wishes(header: str, expected: Wish) -> None:
    """A client may refuse a kept answer, or one too old, or to have its own kept."""
    assert wish_of(header) == expected


@given(st.text())
def test_any_header(header: str) -> None:
    """No header makes it fail."""
    assert 0 <= wish_of(header).max_age <= inf
