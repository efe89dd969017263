"""Streams are put together; what they say in whole is in test_conversation.py."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from llmitm.inspector.fold import fold, payloads


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    """Whatever the bytes, the objects in them are found and nothing raises."""
    for dialect, operation in (("openai", "chat"), ("anthropic", "messages"), ("ollama", "chat")):
        assert isinstance(fold(dialect, operation, data), dict)
    assert all(isinstance(value, dict) for value in payloads(data))


def test_what_is_no_object_is_passed_by() -> None:
    """Comments, `[DONE]`, other JSON and a cut line are no payloads."""
    data = b': ping\n\ndata: {"a":1}\n\ndata: [DONE]\n\ndata: 3\n\ndata: {"b":'
    assert list(payloads(data)) == [{"a": 1}]


def test_choices_are_kept_apart() -> None:
    """Deltas of two choices that come by turns make two messages."""
    events = [
        {"choices": [{"index": i % 2, "delta": {"content": text}}]} for i, text in enumerate("aAbB")
    ]
    data = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    said = [choice["message"]["content"] for choice in fold("openai", "chat", data)["choices"]]
    assert said == ["ab", "AB"]


def test_usage_of_anthropic_is_put_together() -> None:
    """Its input comes first, its output last."""
    data = (
        b'data: {"type":"message_start","message":{"usage":{"input_tokens":3}}}\n\n'
        b'data: {"type":"message_delta","delta":{},"usage":{"output_tokens":4}}\n\n'
        b'data: {"type":"error","error":{"message":"overloaded"}}\n\n'
    )
    answer = fold("anthropic", "messages", data)
    assert answer["usage"] == {"input_tokens": 3, "output_tokens": 4}
    assert answer["error"] == {"message": "overloaded"}


def test_a_failed_response() -> None:
    """A flat error event ends it, what came before is kept."""
    data = (
        b'data: {"type":"response.function_call_arguments.delta","output_index":0,"delta":"{"}\n\n'
        b'data: {"type":"error","message":"no"}\n\n'
    )
    answer = fold("openai", "responses", data)
    assert answer["error"]["message"] == "no"
    assert answer["output"][0]["arguments"] == "{"
