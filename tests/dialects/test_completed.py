"""Which answers say of themselves that they are whole and good."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.dialects.completed import is_completed, text_of_completed
from tests.support.wire import DONE, event, finish, token


def choice(reason: str | None, index: int = 0) -> dict[str, Any]:
    return {"index": index, "message": {"content": "hi"}, "finish_reason": reason}


@pytest.mark.parametrize(
    ("dialect", "operation", "answer", "good"),
    [
        ("openai", "chat", {"choices": [choice("stop")]}, True),
        ("openai", "chat", {"choices": [choice("length")]}, True),
        ("openai", "chat", {"choices": [choice("tool_calls")]}, True),
        ("openai", "chat", {"choices": [choice("content_filter")]}, False),
        ("openai", "chat", {"choices": [choice("stop"), choice("content_filter", 1)]}, False),
        ("openai", "chat", {"choices": [choice(None)]}, False),
        ("openai", "chat", {"choices": []}, False),
        ("openai", "chat", {"choices": [3]}, False),
        ("openai", "chat", {"choices": [choice("stop")], "error": {"message": "x"}}, False),
        ("openai", "chat", {}, False),
        ("openai", "chat", [1], False),
        ("openai", "completions", {"choices": [{"text": "a", "finish_reason": "stop"}]}, True),
        ("openai", "responses", {"status": "completed"}, True),
        ("openai", "responses", {"status": "completed", "error": None}, True),
        ("openai", "responses", {"status": "queued"}, False),
        ("openai", "responses", {"status": "failed", "error": {"code": "x"}}, False),
        (
            "openai",
            "responses",
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            True,
        ),
        (
            "openai",
            "responses",
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            False,
        ),
        ("openai", "embeddings", {"data": [{"embedding": [0.5]}]}, True),
        ("openai", "embeddings", {"data": []}, False),
        ("anthropic", "messages", {"stop_reason": "end_turn"}, True),
        ("anthropic", "messages", {"stop_reason": "max_tokens"}, True),
        ("anthropic", "messages", {"stop_reason": "refusal"}, False),
        ("anthropic", "messages", {"stop_reason": "pause_turn"}, False),
        ("anthropic", "messages", {"stop_reason": None}, False),
        ("ollama", "chat", {"done": True, "done_reason": "stop"}, True),
        ("ollama", "generate", {"done": True, "done_reason": "length"}, True),
        ("ollama", "generate", {"done": True, "done_reason": "load"}, False),
        ("ollama", "chat", {"error": "no"}, False),
        ("ollama", "embed", {"embeddings": [[0.5]]}, True),
        ("ollama", "embed", {"embedding": [0.5]}, True),
        ("ollama", "embed", {"embeddings": []}, False),
    ],
)
def test_whole(dialect: str, operation: str, answer: Any, good: bool) -> None:
    """An answer is good where every part of it ended for a good reason."""
    assert is_completed(dialect, operation, json.dumps(answer).encode()) == good


def named(kind: str, **fields: Any) -> bytes:
    data = json.dumps({"type": kind, **fields}).encode()
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


def message(reason: str) -> bytes:
    start = named("message_start", message={"usage": {"input_tokens": 1}})
    said = named("content_block_delta", index=0, delta={"type": "text_delta", "text": "hi"})
    return start + said + named("message_delta", delta={"stop_reason": reason}, usage={})


FILTERED = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "content_filter"}]})
STOP = named("message_stop")
SAID = named("response.output_text.delta", delta="hi")
LINE = b'{"message": {"content": "hi"}, "done": false}\n'


@pytest.mark.parametrize(
    ("dialect", "operation", "stream", "whole", "left_early"),
    [
        ("openai", "chat", token("hi") + finish() + DONE, True, True),
        ("openai", "chat", token("hi") + finish(), True, False),
        ("openai", "chat", token("hi") + DONE, False, False),
        ("openai", "chat", token("hi") + FILTERED + DONE, False, False),
        ("openai", "chat", token("hi") + finish() + b'data: {"error": {}}', True, False),
        (
            "openai",
            "chat",
            b'data: {"error": {"message": "x"}}\n\n' + finish() + DONE,
            False,
            False,
        ),
        ("openai", "chat", b"", False, False),
        ("openai", "responses", SAID + named("response.completed", response={}), True, True),
        ("openai", "responses", SAID + named("response.failed", response={}), False, False),
        ("openai", "embeddings", token("hi"), False, False),
        ("anthropic", "messages", message("end_turn") + STOP, True, True),
        ("anthropic", "messages", message("end_turn"), True, False),
        ("anthropic", "messages", message("refusal") + STOP, False, False),
        ("ollama", "chat", LINE + b'{"done": true, "done_reason": "stop"}\n', True, True),
        ("ollama", "chat", LINE + b'{"done": true, "done_reason": "unload"}\n', False, False),
        ("ollama", "chat", LINE, False, False),
    ],
)
def test_streams(
    dialect: str, operation: str, stream: bytes, whole: bool, left_early: bool
) -> None:
    """A stream is whole by its finish; where its end wasn't waited for, by its last event."""
    for ended, expected in ((True, whole), (False, left_early)):
        text = text_of_completed(dialect, operation, stream, ended=ended)
        assert text == ("hi" if expected else None)


@given(st.binary(max_size=200), st.sampled_from(["openai", "anthropic", "ollama"]))
def test_any_bytes(data: bytes, dialect: str) -> None:
    """Whatever came, it says no rather than fail."""
    assert not is_completed(dialect, "chat", data)
    assert text_of_completed(dialect, "chat", data, ended=False) is None
