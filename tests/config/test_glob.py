from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.config.glob import check_glob, is_glob, matches
from llmitm.config.problems import Fault


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("*", "anything/at:all", True),
        ("gpt-*", "gpt-4o", True),
        ("gpt-*", "GPT-4o", False),
        ("gpt-*", "my-gpt-4o", False),
        ("openai/*", "openai/gpt-4o", True),
        ("o[134]*", "o3-mini", True),
        ("o[134]*", "o2", False),
        ("llama3.?", "llama3.2", True),
        ("llama3.?", "llama3x2", False),
        ("claude[1m]", "claude[1m]", True),
    ],
)
def test_matches(pattern: str, name: str, expected: bool) -> None:
    """Patterns match whole names, and a name always matches itself."""
    assert matches(pattern, name) is expected


@given(st.text(min_size=1))
def test_a_name_matches_itself(name: Any) -> None:
    """Every model can be named exactly, whatever characters it has."""
    assert matches(name, name)


@pytest.mark.parametrize("pattern", ["", " gpt-4", "gpt-4 ", "gpt-[4", "[", "[]", "[!]"])
def test_refuses_patterns_that_cannot_be_meant(pattern: str) -> None:
    """Empty ones, blanks around and open brackets are faults."""
    with pytest.raises(Fault):
        check_glob(pattern)


@pytest.mark.parametrize(
    ("pattern", "expected"), [("gpt-4o", False), ("gpt-*", True), ("o[1]", True)]
)
def test_tells_patterns_from_names(pattern: str, expected: bool) -> None:
    """A pattern is what can match other names."""
    assert check_glob(pattern) == pattern
    assert is_glob(pattern) is expected
