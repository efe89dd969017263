"""Requests and answers of every dialect become the same turns."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.inspector.conversation import answered, asked, kind_of
from llmitm.inspector.turns import Piece, Turn
from tests.support.inspected import call_flow


def text(role: str, *texts: str) -> Turn:
    return Turn(role, tuple(Piece("text", one) for one in texts))


def call(name: str, arguments: str, identity: str = "") -> Piece:
    return Piece("call", arguments, name, identity)


CHAT = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "function": {"name": "look", "arguments": '{"at":1}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
    ]
}
MESSAGES = {
    "system": [{"type": "text", "text": "Be brief."}],
    "messages": [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm"},
                {"type": "tool_use", "id": "t1", "name": "look", "input": {"city": "Rome"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "t1",
                    "content": [{"type": "text", "text": "21"}],
                },
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
                },
            ],
        },
    ],
}
RESPONSES = {
    "instructions": "Be brief.",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
    ],
}
OLLAMA = {
    "messages": [
        {"role": "user", "content": "See?", "images": ["AAAA"]},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"function": {"name": "look", "arguments": {"at": 1}}}],
        },
        {"role": "tool", "tool_name": "look", "content": "a cat"},
    ]
}
REQUESTS: list[tuple[str, dict[str, Any], list[Turn]]] = [
    ("openai", CHAT, [
        text("system", "Be brief."),
        Turn("user", (Piece("text", "What is this?"), Piece("media", "image: image/png, 3 bytes"))),
        Turn("assistant", (call("look", '{"at":1}', "c1"),)),
        Turn("tool", (Piece("result", "a cat", id="c1"),)),
    ]),
    ("anthropic", MESSAGES, [
        text("system", "Be brief."),
        text("user", "Weather?"),
        Turn("assistant", (Piece("thinking", "hm"), call("look", '{"city":"Rome"}', "t1"))),
        Turn("user", (Piece("result", "21", id="t1"), Piece("media", "image: image/png, 3 bytes"))),
    ]),
    ("openai", RESPONSES, [
        text("system", "Be brief."),
        text("user", "Hi"),
        Turn("assistant", (call("look", "{}", "c1"),)),
        Turn("tool", (Piece("result", "sunny", id="c1"),)),
        Turn("assistant", (Piece("thinking", "hm"),)),
    ]),
    ("ollama", OLLAMA, [
        Turn("user", (Piece("text", "See?"), Piece("media", "image, 3 bytes"))),
        Turn("assistant", (call("look", '{"at":1}'),)),
        Turn("tool", (Piece("result", "a cat", "look"),)),
    ]),
    ("ollama", {"system": "S", "prompt": "P"}, [text("system", "S"), text("user", "P")]),
    ("openai", {"prompt": "P"}, [text("prompt", "P")]),
    ("openai", {"input": ["a", "b"]}, [text("user", "a", "b")]),
    ("openai", {}, []),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "body", "turns"), REQUESTS)
def test_requests(dialect: str, body: dict[str, Any], turns: list[Turn]) -> None:
    """Roles, texts, tool calls, their results and media are told apart."""
    assert asked(dialect, body) == turns


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)


def lines(*events: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def delta(**fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields}]}


OPENAI_STREAM = (
    sse(
        delta(role="assistant", content="A "),
        delta(content="door."),
        delta(
            tool_calls=[{"index": 0, "id": "c1", "function": {"name": "look", "arguments": '{"a'}}]
        ),
        delta(tool_calls=[{"index": 0, "function": {"arguments": '":1}'}}]),
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
        {"choices": [], "usage": {"prompt_tokens": 1}},
    )
    + b"data: [DONE]\n\n"
)
ANTHROPIC_STREAM = sse(
    {"type": "message_start", "message": {"usage": {"input_tokens": 3}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "A "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "door."}},
    {"type": "content_block_start", "index": 1,
     "content_block": {"type": "tool_use", "id": "t1", "name": "look", "input": {}}},
    {"type": "content_block_delta", "index": 1, "delta": {"partial_json": '{"a":1}'}},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 4}},
    {"type": "message_stop"},
)  # fmt: skip
OLLAMA_STREAM = lines(
    {"message": {"role": "assistant", "content": "A "}, "done": False},
    {"message": {"content": "door.", "tool_calls": [{"function": {"name": "look"}}]}},
    {"message": {"content": ""}, "done": True, "done_reason": "stop", "eval_count": 3},
)
RESPONSES_STREAM = sse(
    {"type": "response.created", "response": {}},
    {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message"}},
    {"type": "response.output_text.delta", "output_index": 0, "delta": "A "},
    {"type": "response.output_text.delta", "output_index": 0, "delta": "door."},
)
DONE = {"type": "response.completed", "response": {"status": "completed", "output": [
    {"type": "message", "content": [{"type": "output_text", "text": "All."}]}
]}}  # fmt: skip
DOOR = Piece("text", "A door.")
ANSWERS = [
    ("openai", "chat", OPENAI_STREAM, (DOOR, call("look", '{"a":1}', "c1")), "tool_calls"),
    ("anthropic", "messages", ANTHROPIC_STREAM, (DOOR, call("look", '{"a":1}', "t1")), "tool_use"),
    ("ollama", "chat", OLLAMA_STREAM, (DOOR, call("look", "{}")), "stop"),
    ("openai", "responses", RESPONSES_STREAM, (DOOR,), None),
    ("openai", "responses", RESPONSES_STREAM + sse(DONE), (Piece("text", "All."),), "completed"),
    ("openai", "completions", sse({"choices": [{"text": "A "}]}, {"choices": [{"text": "door."}]}),
     (DOOR,), None),
    ("ollama", "generate", lines({"response": "A "}, {"response": "door.", "done": True}),
     (DOOR,), None),
    ("anthropic", "messages", json.dumps({"content": [{"type": "text", "text": "A door."}],
     "stop_reason": "end_turn"}).encode(), (DOOR,), "end_turn"),
    ("openai", "chat", b'{"choices":[{"message":{"refusal":"No."},"finish_reason":"stop"}]}',
     (Piece("refusal", "No."),), "stop"),
    ("ollama", "chat", b'{"message":{"content":"A door.","thinking":"hm"},"done":true}',
     (Piece("thinking", "hm"), DOOR), None),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "operation", "data", "pieces", "finish"), ANSWERS)
def test_answers(
    dialect: str, operation: str, data: bytes, pieces: tuple[Piece, ...], finish: str | None
) -> None:
    """Whole answers and streams give the same turn."""
    turns, reason, _ = answered(dialect, operation, data)
    assert [one.pieces for one in turns] == [pieces]
    assert reason == finish


def test_a_stream_that_was_cut_is_read_as_far_as_it_goes() -> None:
    """The last event is not whole, those before it are."""
    turns, _, _ = answered("openai", "chat", OPENAI_STREAM[:100])
    assert turns[0].pieces[0].text == "A "


@pytest.mark.parametrize("data", [b"", b"<html>", b"[1]", b"\xff\xfe"])
def test_what_is_no_answer(data: bytes) -> None:
    """Other bodies are left to other views."""
    with pytest.raises(ValueError, match="not an answer"):
        answered("openai", "chat", data)


NAMES = [
    *("messages", "content", "role", "type", "text", "choices", "message", "delta", "index"),
    *("output", "input", "item", "tool_calls", "function", "arguments", "name", "system"),
    *("prompt", "images", "thinking", "usage", "error", "content_block", "response", "done"),
    *("output_index", "source", "url", "data", "summary"),
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
kinds = st.sampled_from(
    [("openai", "chat"), ("openai", "responses"), ("anthropic", "messages"), ("ollama", "chat")]
)


@given(kinds, st.dictionaries(st.sampled_from(["messages", "input", "system"]), json_values))
def test_any_request_is_read(kind: tuple[str, str], body: dict[str, Any]) -> None:
    """JSON of another shape than the dialect's never raises."""
    asked(kind[0], body)


types = ["message_start", "content_block_delta", "content_block_start", "response.completed"]


@given(
    kinds,
    st.lists(st.dictionaries(st.sampled_from(["choices", "delta", "item", "index", "message",
                                              "content_block", "output_index", "usage"]),
                             json_values), max_size=4),
    st.sampled_from(types),
)  # fmt: skip
def test_any_stream_is_read(
    kind: tuple[str, str], events: list[dict[str, Any]], event_type: str
) -> None:
    """Events of another shape never raise either."""
    answered(*kind, sse({"type": event_type}, *({**e, "type": event_type} for e in events)))


PATHS = [
    ("/v1/chat/completions", ("openai", "chat")),
    ("/openai/v1/chat/completions?api-version=1", ("openai", "chat")),
    ("/v1/completions", ("openai", "completions")),
    ("/v1/responses", ("openai", "responses")),
    ("/anthropic/v1/messages", ("anthropic", "messages")),
    ("/api/chat", ("ollama", "chat")),
    ("/v1/images/generations", ("openai", "images")),
    ("/v1/files", None),
    ("/", None),
]


@pytest.mark.parametrize(("path", "kind"), PATHS)
def test_kinds(path: str, kind: tuple[str, str] | None) -> None:
    """The end of the path tells, since providers have their own beginnings."""
    assert kind_of(call_flow(path=path)[0]) == kind
    assert kind_of(None) is None
