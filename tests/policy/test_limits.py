"""Limits: what a call takes of them, and how they are said."""

from __future__ import annotations

from math import inf

import pytest

from llmitm.policy.account import Level
from llmitm.policy.accounts import Accounts, Shortage
from llmitm.policy.limits import (
    DAY,
    Kind,
    Limit,
    Refusal,
    Standing,
    costs,
    refusal,
    standings,
    used,
)

REQUESTS = Limit("key:a", Kind.REQUESTS, 3)
TOKENS = Limit("user:u", Kind.TOKENS, 100)
DAILY = Limit("user:u", Kind.TOKENS, 1000, DAY)
CONCURRENT = Limit("team:t", Kind.CONCURRENT, 2)
ALL = (REQUESTS, TOKENS, DAILY, CONCURRENT)


def test_what_a_call_takes() -> None:
    """One request, one running call, and its tokens; running calls are given back."""
    assert costs(ALL, 40) == [1, 40, 40, 1]
    assert used(ALL, 25) == [1, 25, 25, 0]


def test_a_limit_is_told_by_its_scope_kind_and_period() -> None:
    """Not by its amount: an edited limit keeps what was used of it."""
    assert len({limit.id for limit in ALL}) == 4
    assert Limit("key:a", Kind.REQUESTS, 30).id == REQUESTS.id


def test_only_running_calls_are_leased() -> None:
    """They count until they are settled, the others until they leave the window."""
    assert [limit.leased for limit in ALL] == [False, False, False, True]
    assert CONCURRENT.until(5.0) == inf
    assert 60 < REQUESTS.until(5.0) - 5.0 <= 60.5


@pytest.mark.parametrize(
    ("before", "tokens", "expected"),
    [
        (3, 1, Refusal(REQUESTS, 0, 60.5, too_large=False)),
        (1, 61, Refusal(TOKENS, 60, 60.5, too_large=False)),
        (0, 101, Refusal(TOKENS, 100, None, too_large=True)),
        (2, 1, Refusal(CONCURRENT, 0, None, too_large=False)),
    ],
    ids=["requests", "tokens", "too large", "concurrent"],
)
def test_refusal(before: int, tokens: int, expected: Refusal) -> None:
    """Names the limit and the exact time until it has room, where time alone makes any."""
    accounts = Accounts()
    of = ALL if before < 3 else (REQUESTS,)
    for _ in range(before):
        accounts.take(of, costs(of, 40 if before == 1 else 1), 0.0)
    answer = accounts.take(of, costs(of, tokens), 0.0)
    assert isinstance(answer, Shortage)
    assert refusal(of, answer) == expected


def test_standing_is_the_tightest_of_its_kind() -> None:
    """Headers show the limit with the least remaining; an unused one has nothing to reset."""
    levels = [Level(2, 0, 61.0), Level(30, 0, 62.0), Level(990, 0, 900.0), Level(1, 1, inf)]
    assert standings(ALL, levels, 10.0) == {
        Kind.REQUESTS: Standing(3, 1, 51.0),
        Kind.TOKENS: Standing(1000, 10, 890.0),
        Kind.CONCURRENT: Standing(2, 1, inf),
    }
    assert standings((REQUESTS,), [Level(0, 0, 0.0)], 10.0) == {Kind.REQUESTS: Standing(3, 3, 0.0)}


def test_an_overdrawn_limit_has_nothing_left() -> None:
    """Not less than nothing."""
    assert standings((TOKENS,), [Level(150, 0, 9.0)], 0.0)[Kind.TOKENS].remaining == 0
