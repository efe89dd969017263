"""The simulator's parameters."""

from typing import Any

import pytest

from llmitm.simulator import Settings


@pytest.mark.parametrize(
    "wrong", [{"latency": -1}, {"tokens": -1}, {"pace": 0}, {"pace": -2}, {"keep": -1}]
)
def test_refuses_what_makes_no_sense(wrong: dict[str, Any]) -> None:
    """A negative number, or a pace at which nothing ever comes, is an error that names it."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)
