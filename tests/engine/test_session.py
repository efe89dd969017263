"""What is read of a WebSocket session's events."""

from __future__ import annotations

import json
from typing import Any

import pytest

from llmitm.call import Usage
from llmitm.engine.session import (
    add_usage,
    close_code,
    key_of_protocols,
    models_named,
    with_model,
)

TOLD = {"input_tokens": 10, "output_tokens": 4, "total_tokens": 14}


def test_key_of_protocols() -> None:
    """Takes the key out of the protocols, and leaves the others in order."""
    assert key_of_protocols(["a", "openai-insecure-api-key.sk-1", "b"]) == ("sk-1", ["a", "b"])
    assert key_of_protocols(["a", ""]) == (None, ["a"])
    assert key_of_protocols([]) == (None, [])


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("wss://h/v1/realtime?model=a", "wss://h/v1/realtime?model=b%20c"),
        ("wss://h/v1/realtime?x=%20&model=a&y", "wss://h/v1/realtime?x=%20&y&model=b%20c"),
    ],
)
def test_with_model(url: str, expected: str) -> None:
    """Puts the target's model in the query, and keeps the rest as it was written."""
    assert with_model(url, "a", "b c") == expected
    assert with_model(url, "a", "a") == url
    assert with_model(url, None, "*") == url


@pytest.mark.parametrize(
    ("event", "models"),
    [
        ({"model": "a"}, ["a"]),
        ({"session": {"model": "b"}}, ["b"]),
        ({"model": "a", "response": {"model": "c"}}, ["a", "c"]),
        ({"model": 3, "session": "model"}, []),
        ({"text": "no such thing"}, []),
        (["model"], []),
    ],
)
def test_models_named(event: Any, models: list[str]) -> None:
    """Finds every model that an event names, in text and in bytes."""
    assert list(models_named(json.dumps(event))) == models
    assert list(models_named(json.dumps(event).encode())) == models


@pytest.mark.parametrize("data", ["model", b"\xff model", '{"model": ' * 5000, '{"model": "a'])
def test_broken_events(data: str | bytes) -> None:
    """What is no JSON names nothing and uses nothing."""
    assert list(models_named(data)) == []
    assert add_usage(None, data) is None


@pytest.mark.parametrize("kind", ["response.done", "response.completed", "response.incomplete"])
def test_add_usage(kind: str) -> None:
    """Adds up what each response used."""
    event = json.dumps({"type": kind, "response": {"usage": TOLD}})
    once = add_usage(None, event)
    assert once == Usage(prompt_tokens=10, completion_tokens=4)
    assert add_usage(once, event) == Usage(prompt_tokens=20, completion_tokens=8)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.created", "response": {"usage": TOLD}},
        {"type": "response.done", "response": {"usage": None}},
        {"type": "response.done", "usage": TOLD},
        {"type": "response.done", "response": "usage"},
    ],
)
def test_what_is_no_usage(event: Any) -> None:
    """Counts nothing that isn't the final usage of a response."""
    known = Usage(prompt_tokens=1)
    assert add_usage(known, json.dumps(event)) is known


@pytest.mark.parametrize(
    ("code", "sent"),
    [
        (None, 1000),
        (1000, 1000),
        (1001, 1001),
        (1005, 1000),
        (1006, 1011),
        (1015, 1011),
        (4000, 4000),
    ],
)
def test_close_code(code: int | None, sent: int) -> None:
    """Sends on each code that may be sent, and one that fits for the others."""
    assert close_code(code) == sent
