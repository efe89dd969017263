"""Strict reading names what is wrong; lenient reading keeps what makes sense."""

from __future__ import annotations

from typing import Any

import pytest

from llmitm.dialects import carry
from llmitm.errors import Cause, GatewayError

WRONG: list[tuple[Any, object]] = [
    (carry.objects, "a"),
    (carry.objects, [1]),
    (carry.object_, []),
    (carry.string, None),
    (carry.string, 1),
    (carry.number, "1"),
    (carry.number, True),
    (carry.strings, {"a": 1}),
    (carry.strings, ["a", 1]),
    (carry.arguments, "{"),
    (carry.arguments, "[]"),
    (carry.arguments, {"a": 1}),
]


@pytest.mark.parametrize(("read", "value"), WRONG)
def test_strict_reading_refuses(read: Any, value: object) -> None:
    """A value of the wrong kind is an invalid request that names its parameter."""
    with pytest.raises(GatewayError) as refusal:
        read(value, "messages[3].x")
    assert refusal.value.cause is Cause.INVALID_REQUEST
    assert refusal.value.param == "messages[3].x"
    assert refusal.value.message.startswith("messages[3].x: ")


RIGHT: list[tuple[Any, object, object]] = [
    (carry.objects, None, []),
    (carry.objects, [{}], [{}]),
    (carry.object_, None, {}),
    (carry.object_, {"a": 1}, {"a": 1}),
    (carry.number, None, None),
    (carry.number, 0.5, 0.5),
    (carry.strings, None, []),
    (carry.strings, "a", ["a"]),
    (carry.strings, ["a"], ["a"]),
    (carry.arguments, None, {}),
    (carry.arguments, "", {}),
    (carry.arguments, '{"a": [1]}', {"a": [1]}),
]


@pytest.mark.parametrize(("read", "value", "expected"), RIGHT)
def test_strict_reading_accepts(read: Any, value: object, expected: object) -> None:
    """Null is nothing, where nothing is allowed."""
    assert read(value, "p") == expected


@pytest.mark.parametrize("value", [None, 1, "a", [], {}, [1, "a", None], [[{"text": "x"}]]])
def test_lenient_reading_never_raises(value: object) -> None:
    """Whatever a provider puts at a key, reading it gives the right kind."""
    found = {"k": value, "index": value}
    assert isinstance(carry.sub(found, "k"), dict)
    assert all(isinstance(item, dict) for item in carry.items(found, "k"))
    assert isinstance(carry.text(found, "k"), str)
    assert isinstance(carry.index(found), int)


def test_text_in_parts() -> None:
    """Some servers send text as a list of parts."""
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]
    assert carry.text({"content": parts}, "content") == "ab"
