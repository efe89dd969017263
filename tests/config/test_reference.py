from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.config.problems import Fault
from llmitm.config.reference import expand
from llmitm.config.values import Text

ENV = {"A": "one", "B": "two", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${A}", "one"),
        ("x-${A}-${B}-y", "x-one-two-y"),
        ("${NONE:-some}", "some"),
        ("${EMPTY:-some}", "some"),
        ("${A:-some}", "one"),
        ("${NONE:-}", ""),
        ("${EMPTY}", ""),
        ("${NONE:-http://h:1/v1}", "http://h:1/v1"),
        ("$${A}", "${A}"),
        ("$A and $5", "$A and $5"),
    ],
)
def test_expands(text: str, expanded: str) -> None:
    """References become the variable or its default, as in a shell; `$${` is a plain `${`."""
    assert expand(text, ENV) == expanded


def test_remembers_how_it_was_written() -> None:
    """An expanded text carries its reference, for errors; others are left as they are."""
    text = expand("Bearer ${A}", ENV)
    assert isinstance(text, Text)
    assert text.raw == "Bearer ${A}"
    assert not isinstance(expand("$${A}", ENV), Text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${NONE}", "the environment variable NONE is not set"),
        ("${A", "is no reference"),
        ("${}", "is no reference"),
        ("${A-b}", "is no reference"),
        ("${1A}", "is no reference"),
    ],
)
def test_refuses(text: str, message: str) -> None:
    """A variable that is not set, and what is no reference, are faults."""
    with pytest.raises(Fault, match=message):
        expand(text, ENV)


@given(st.text())
def test_values_are_not_expanded_again(value: Any) -> None:
    """What a variable holds is taken as it is, references in it included."""
    assert expand("${X:-}", {"X": value}) == value
