"""A conversation and the story of its call, in lines."""

from __future__ import annotations

from typing import Any

import pytest

from llmitm.inspector.render import conversation, pace, settings, signature, story, timeline
from llmitm.inspector.turns import Piece, Turn

FACTS: dict[str, Any] = {
    "request_id": "req_1",
    "key": "dev",
    "user": "ava",
    "prompt_tokens": 12,
    "cached_tokens": 4,
    "completion_tokens": 30,
    "reasoning_tokens": 10,
    "estimated": True,
    "cost_usd": "0.0012",
    "ttft_ms": 100.0,
    "duration_ms": 1100.0,
    "overhead_ms": 1.26,
    "route": "gpt-*",
    "strategy": "priority",
    "plan": "a/m, b/m",
    "left_out": "c/m",
    "tried": "1. a/m: 503 (http_error) after 9 ms; 2. b/m: 200 after 90 ms",
    "error": "stream_cut",
}
STORY = """\
call        req_1 · key dev · user ava
usage       12 prompt (4 cached) + 30 completion (10 reasoning) tokens, estimated
cost        0.0012 USD
timing      first token 100 ms · total 1,100 ms · gateway 1.3 ms · 30.0 tokens/s
route       gpt-*, priority: a/m, b/m
left out    c/m (drained, or its circuit was open)
attempts    1. a/m: 503 (http_error) after 9 ms
            2. b/m: 200 after 90 ms
error       stream_cut"""


def test_story() -> None:
    """Usage, cost, timing, the route and every attempt are told."""
    assert "\n".join(story(FACTS)) == STORY


@pytest.mark.parametrize("facts", [{}, {"ttft_ms": "soon", "tried": 3, "plan": 1}])
def test_little_is_known(facts: dict[str, Any]) -> None:
    """Flows of files may lack everything, or say nonsense."""
    list(story(facts))
    assert pace(facts) is None


def test_settings() -> None:
    """Parameters and tools of a request are listed."""
    tool = {"type": "function", "function": {"name": "look", "parameters": {
        "properties": {"city": {}, "unit": {}}, "required": ["city"]}}}  # fmt: skip
    body = {"temperature": 0, "options": {"seed": 3}, "stop": "x" * 99, "tools": [tool, 7]}
    assert list(settings(body)) == [
        f"parameters  temperature 0 · seed 3 · stop {'x' * 59}…",
        "tools       look(city, unit?)",
    ]


SIGNATURES = [
    ({"name": "f", "input_schema": {"properties": {"a": {}}}}, "f(a?)"),
    ({"type": "web_search"}, "web_search()"),
    ({}, "tool()"),
    ({"function": 3, "parameters": "x"}, "tool()"),
]


@pytest.mark.parametrize(("tool", "expected"), SIGNATURES)
def test_signatures(tool: dict[str, Any], expected: str) -> None:
    """Tools of any dialect, and of none."""
    assert signature(tool) == expected


def test_conversation() -> None:
    """Each kind of piece has its mark."""
    turns = [
        Turn("assistant", (
            Piece("thinking", "a\nb"), Piece("text", "Hi"), Piece("call", "{}", "look", "c1"),
            Piece("refusal", "No."), Piece("media", "image"),
        )),
        Turn("tool", (Piece("result", "21", id="c1"),)),
    ]  # fmt: skip
    said = [line for line in conversation(turns) if not line.startswith("──")]
    expected = "(thinking)|  a|  b|Hi|→ look({})  c1|(refusal) No.|[image]||← c1|21|"
    assert "|".join(said) == expected


def test_timeline() -> None:
    """When each chunk came, how large it was and what it said."""
    chunk = b'data: {"choices":[{"delta":{"content":"%b"}}]}\n\n'
    data = chunk % b"one" + chunk % b"two"
    size = len(chunk % b"one")
    rows = list(timeline("openai", "chat", data, f"0@12 {size}@1500"))
    assert rows == [f"      12 ms  {size:>6} B  one", f"   1,500 ms  {size:>6} B  two"]
    assert list(timeline("openai", "chat", data, "nonsense")) == []


def test_long_timelines_are_cut() -> None:
    """A stream of many chunks has rows for the first ones."""
    marks = " ".join(f"{i}@{i}" for i in range(100))
    rows = list(timeline("openai", "chat", b"x" * 100, marks))
    assert len(rows) == 61
    assert rows[-1].endswith("40 more, the last after 99 ms")
