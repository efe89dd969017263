"""What the simulated model says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.simulator import Settings, expected_text
from llmitm.simulator.answer import Ask, answer, chosen_tool, prompt_tokens
from llmitm.simulator.exchange import Exchange
from llmitm.simulator.faults import parse

TURNS = (("user", "Hi there"),)
WHOLE = expected_text([{"role": "user", "content": "Hi there"}])


def exchange(fault: str = "ok", **settings: Any) -> Exchange:
    return Exchange({"model": "m"}, Settings(**settings), parse(fault))


@given(st.integers(0, len(WHOLE)))
def test_prefill_is_continued_exactly(cut: int) -> None:
    """A prefill, cut anywhere, and its continuation are the whole text."""
    rest = answer(exchange(), Ask(TURNS, prefill=WHOLE[:cut]))
    assert WHOLE[:cut] + rest.text == WHOLE
    assert rest.usage.completion_tokens == len(rest.pieces)


def test_a_foreign_prefill_counts_by_its_length() -> None:
    """After another model's words, as many tokens fewer are said."""
    rest = answer(exchange(tokens=10), Ask(TURNS, prefill="Quite other words"))
    assert len(rest.pieces) == 7


@pytest.mark.parametrize(
    ("limit", "tokens", "said", "finish"),
    [(None, 8, 8, "stop"), (8, 8, 8, "stop"), (3, 8, 3, "length"), (9, 8, 8, "stop")],
)
def test_limit(limit: int | None, tokens: int, said: int, finish: str) -> None:
    """Stops at the limit and says so; a limit that is just reached is no reason."""
    one = answer(exchange(tokens=tokens), Ask(TURNS, limit=limit))
    assert (len(one.pieces), one.finish, one.usage.completion_tokens) == (said, finish, said)
    assert WHOLE.startswith(one.text)


def test_choices_differ_and_the_first_is_expected() -> None:
    """Each choice has its own text, and `expected_text` knows them."""
    texts = [answer(exchange(), Ask(TURNS), choice).text for choice in range(3)]
    assert len(set(texts)) == 3
    messages = [{"role": "user", "content": "Hi there"}]
    assert texts == [expected_text(messages, choice=choice) for choice in range(3)]


def test_expected_text_takes_a_trailing_assistant_message_either_way() -> None:
    """As a prefill it changes nothing, as a turn of its own it does."""
    messages = [{"role": "user", "content": "Hi there"}, {"role": "assistant", "content": "One"}]
    assert expected_text(messages) == WHOLE
    assert expected_text(messages, prefill=False) != WHOLE


def test_prompt_tokens_are_texts_and_three_for_each_message() -> None:
    """Counts eight characters a token, and three tokens for each message."""
    ask = Ask((("system", "Be brief."), ("user", "Hi there")), prefill="One")
    assert prompt_tokens(ask) == 2 + 2 + 1 + 3 * 3


@pytest.mark.parametrize(
    ("fault", "settings", "expected"),
    [
        ("ok", {}, (5, 32, 0, 0)),
        ("ok", {"cached_tokens": 3, "reasoning_tokens": 4}, (5, 36, 3, 4)),
        ("ok", {"cached_tokens": 99}, (5, 32, 5, 0)),
        ("ok:prompt=10000,completion=1000,cached=4000", {}, (10000, 1000, 4000, 0)),
        ("ok:reasoning=10,tokens=2", {"reasoning_tokens": 4}, (5, 12, 0, 10)),
    ],
)
def test_usage(fault: str, settings: Any, expected: tuple[int, int, int, int]) -> None:
    """Counts what is said; settings and the fault's parameters add the rest."""
    usage = answer(exchange(fault, **settings), Ask(TURNS)).usage
    got = usage.prompt_tokens, usage.completion_tokens
    assert (*got, usage.cached_tokens, usage.reasoning_tokens) == expected


@pytest.mark.parametrize(
    ("turns", "name", "called"),
    [
        (TURNS, None, "first"),
        (TURNS, "second", "second"),
        (TURNS, "unknown", "first"),
        ((*TURNS, ("tool", "found")), None, None),
        ((), None, None),
    ],
)
def test_chosen_tool(turns: Any, name: str | None, called: str | None) -> None:
    """Calls the named tool or the first, and none when a result is what it got last."""
    tool = chosen_tool(turns, {"first": {}, "second": None}, name)
    assert (tool.name if tool else None) == called


def test_content_filter_ends_the_answer_early() -> None:
    """Says a few tokens, and that a filter stopped it."""
    one = answer(exchange("content-filter-finish:after=2"), Ask(TURNS))
    assert (len(one.pieces), one.finish) == (2, "filter")
