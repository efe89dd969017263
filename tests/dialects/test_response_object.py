"""The response object repeats its request, and says that nothing is kept."""

from __future__ import annotations

from typing import Any

import pytest

from llmitm.dialects.response_object import (
    ResponseObject,
    call_item,
    fresh_id,
    message_item,
    reasoning_item,
    refusal_part,
    status,
    text_part,
)
from tests.dialects.response_events import checked

TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": True}
ASKED: list[dict[str, Any]] = [
    {"instructions": "Be brief."},
    {"max_output_tokens": 7, "temperature": 0, "top_p": 0.5, "top_logprobs": 2},
    {"tools": [TOOL], "tool_choice": {"type": "function", "name": "weather"}},
    {"parallel_tool_calls": False, "metadata": {"a": "b"}, "user": "u"},
    {"text": {"format": {"type": "json_schema", "name": "a", "schema": {}}}},
    {"reasoning": {"effort": "high", "summary": "auto"}},
]


@pytest.mark.parametrize("asked", ASKED)
def test_the_request_is_repeated(asked: dict[str, Any]) -> None:
    """What was asked for is in the object from the beginning."""
    running = checked(ResponseObject({**asked, "input": "hi", "stream": True}, "m").running())
    assert {key: running[key] for key in asked} == asked
    assert "input" not in running


def test_what_was_not_asked_for_has_openais_defaults() -> None:
    """A null is no value; the object has every field that the SDK wants."""
    running = checked(ResponseObject({"temperature": None, "store": True}, "m").running())
    assert (running["temperature"], running["tools"], running["tool_choice"]) == (1.0, [], "auto")
    assert (running["status"], running["output"], running["usage"]) == ("in_progress", [], None)
    assert (running["store"], running["previous_response_id"]) == (False, None)


def test_it_is_the_same_response_to_the_end() -> None:
    """Id and time of making stay; output, usage and status come."""
    frame = ResponseObject({}, "m")
    output = [
        reasoning_item(fresh_id("rs"), "Hm.", None),
        message_item(fresh_id("msg"), [text_part("a", []), refusal_part("b")], "completed"),
        call_item(fresh_id("fc"), "call_1", "now", "{}", "completed"),
    ]
    running = frame.running()
    ended = checked(frame.ended(output, "stop", {"prompt_tokens": 3, "completion_tokens": 2}))
    assert {running[key] == ended[key] for key in ("id", "created_at", "model")} == {True}
    assert ended["output"] == output
    assert (ended["status"], ended["usage"]["total_tokens"]) == ("completed", 5)
    assert ended["completed_at"] >= ended["created_at"]


def test_status() -> None:
    """Only what was cut short is incomplete."""
    assert [status(f) for f in ("stop", "tool_calls", "", "length", "content_filter")] == [
        "completed",
        "completed",
        "completed",
        "incomplete",
        "incomplete",
    ]


def test_ids_are_new() -> None:
    """No two responses or items share an id."""
    assert len({fresh_id("msg") for _ in range(100)}) == 100
