from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from llmitm.errors import GatewayError
from llmitm.seeds.fields import chat, max_tokens, optional_words, temperature, words


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (words, " hi ", " hi "),
        (optional_words, None, None),
        (optional_words, "hi", "hi"),
        (max_tokens, None, None),
        (max_tokens, 1, 1),
        (max_tokens, 500.0, 500),
        (temperature, None, None),
        (temperature, 0, 0),
        (temperature, 2, 2),
    ],
)
def test_good_values(read: Callable[[Any, str], Any], value: Any, expected: Any) -> None:
    """What makes sense is taken as it is."""
    assert read({"field": value}, "field") == expected


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (words, None),
        (words, ""),
        (words, " \n"),
        (words, 7),
        (words, ["hi"]),
        (optional_words, ""),
        (optional_words, 7),
        (max_tokens, 0),
        (max_tokens, -1),
        (max_tokens, 1.5),
        (max_tokens, "5"),
        (max_tokens, True),
        (temperature, -0.1),
        (temperature, 2.1),
        (temperature, "hot"),
    ],
)
def test_bad_values(read: Callable[[Any, str], Any], value: Any) -> None:
    """What makes no sense is refused, and the field is named."""
    with pytest.raises(GatewayError, match="field") as caught:
        read({"field": value}, "field")
    assert (caught.value.status("openai"), caught.value.param) == (400, "field")


def test_chat() -> None:
    """A prompt is a user message, after the system's if there is one; None says nothing."""
    assert chat("hi", max_tokens=None, temperature=0) == {
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0,
    }
    assert chat("hi", "be kind")["messages"][0] == {"role": "system", "content": "be kind"}
