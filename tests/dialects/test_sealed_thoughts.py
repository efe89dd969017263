"""Signed thinking goes to a client of the Responses API and comes back unharmed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.dialects.sealed_thoughts import sealed, thought_id, unsealed, without_foreign
from tests.dialects.streams import WORDS, Json

BLOCKS = st.lists(st.dictionaries(WORDS, WORDS, max_size=3), min_size=1, max_size=3)
OURS: Json = {"type": "reasoning", "id": thought_id(), "summary": []}
SEALED: Json = {"type": "reasoning", "summary": [], "encrypted_content": sealed([{"a": "b"}])}
OPENAIS: Json = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
SAID: Json = {"role": "user", "content": "hi"}


@given(BLOCKS)
def test_round_trip(blocks: list[Json]) -> None:
    """What was sealed is what comes out."""
    assert unsealed({"encrypted_content": sealed(blocks)}) == blocks


def test_nothing_to_seal() -> None:
    """A model that signs nothing leaves nothing to keep."""
    assert sealed([]) is None


@pytest.mark.parametrize(
    "content", [None, 7, "", "gAAAAABo", "llmitm.", "llmitm.%%", "llmitm.bm8=", "llmitm.IjEi", "ä"]
)
def test_what_was_not_sealed_here(content: Any) -> None:
    """What OpenAI encrypted, or somebody spoilt, holds no thoughts."""
    assert unsealed({"encrypted_content": content}) == []


CASES: list[tuple[Json, Json]] = [
    ({"input": "hi"}, {}),
    ({"input": [SAID, OPENAIS]}, {}),
    ({"input": [OPENAIS, OURS, SAID, SEALED, 7]}, {"input": [OPENAIS, SAID, 7]}),
    ({"input": [OURS]}, {"input": []}),
    ({}, {}),
]


@pytest.mark.parametrize(("body", "change"), CASES)
def test_openai_gets_no_thoughts_of_others(body: Json, change: Json) -> None:
    """Reasoning that another provider's model made is left out of a request to OpenAI."""
    assert without_foreign(body) == change
