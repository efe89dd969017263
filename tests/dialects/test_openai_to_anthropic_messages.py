"""A Chat Completions conversation becomes an Anthropic one."""

from __future__ import annotations

import pytest

from llmitm.dialects.openai_to_anthropic_messages import conversation
from llmitm.errors import GatewayError
from tests.dialects.streams import Json


def text(said: str) -> Json:
    return {"type": "text", "text": said}


def user(*content: Json | str) -> Json:
    return {"role": "user", "content": content[0] if len(content) == 1 else [*content]}


def called(call_id: str, arguments: str = "{}") -> Json:
    function = {"name": "f", "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def use(call_id: str, given: Json | None = None) -> Json:
    return {"type": "tool_use", "id": call_id, "name": "f", "input": given or {}}


def result(call_id: str, content: object = None) -> Json:
    found = {"type": "tool_result", "tool_use_id": call_id}
    return found if content is None else found | {"content": content}


HI = {"role": "user", "content": "hi"}
PNG = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}
PNG_OUT = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
}
CACHED = {"cache_control": {"type": "ephemeral"}}

CASES: list[tuple[str, list[Json], list[Json], list[Json]]] = [
    ("text", [HI], [], [HI]),
    (
        "system prompts, wherever they are",
        [
            {"role": "system", "content": "A"},
            HI,
            {"role": "developer", "content": [text("B")]},
        ],
        [text("A"), text("B")],
        [HI],
    ),
    ("only a system prompt", [{"role": "system", "content": "A"}], [], [user("A")]),
    ("parts", [user(text("a"), text("b"))], [], [user(text("a"), text("b"))]),
    ("a single part", [{"role": "user", "content": [text("a")]}], [], [user("a")]),
    ("image", [user(text("a"), PNG)], [], [user(text("a"), PNG_OUT)]),
    (
        "image by address",
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y"}}]}],
        [],
        [
            {
                "role": "user",
                "content": [{"type": "image", "source": {"type": "url", "url": "https://x/y"}}],
            }
        ],
    ),
    (
        "file",
        [
            {
                "role": "user",
                "content": [
                    {
                        "type": "file",
                        "file": {
                            "filename": "a.pdf",
                            "file_data": "data:application/pdf;base64,AAAA",
                        },
                    }
                ],
            }
        ],
        [],
        [
            {
                "role": "user",
                "content": [
                    {
                        "type": "document",
                        "source": {
                            "type": "base64",
                            "media_type": "application/pdf",
                            "data": "AAAA",
                        },
                        "title": "a.pdf",
                    }
                ],
            }
        ],
    ),
    (
        "cache marks",
        [{"role": "system", "content": [text("A") | CACHED]}, HI],
        [text("A") | CACHED],
        [HI],
    ),
    (
        "empty text",
        [user(text(""), text("a")), {"role": "assistant", "content": ""}],
        [],
        [user("a")],
    ),
    (
        "turns of one role",
        [HI, HI],
        [],
        [user(text("hi"), text("hi"))],
    ),
    (
        "parallel tool calls and their results",
        [
            HI,
            {
                "role": "assistant",
                "content": "Looking.",
                "tool_calls": [called("a", '{"x": 1}'), called("b", "")],
            },
            {"role": "tool", "tool_call_id": "a", "content": "1"},
            {"role": "tool", "tool_call_id": "b", "content": ""},
            user("and?"),
        ],
        [],
        [
            HI,
            {"role": "assistant", "content": [text("Looking."), use("a", {"x": 1}), use("b")]},
            user(result("a", "1"), result("b"), text("and?")),
        ],
    ),
    (
        "ids with letters that Anthropic does not allow",
        [
            HI,
            {"role": "assistant", "tool_calls": [called("functions.f:0")]},
            {"role": "tool", "tool_call_id": "functions.f:0", "content": [text("a"), text("b")]},
        ],
        [],
        [
            HI,
            {"role": "assistant", "content": [use("functions_f_0")]},
            {
                "role": "user",
                "content": [result("functions_f_0", [text("a"), text("b")])],
            },
        ],
    ),
    (
        "an earlier refusal",
        [HI, {"role": "assistant", "content": None, "refusal": "No."}, HI],
        [],
        [HI, {"role": "assistant", "content": "No."}, HI],
    ),
    (
        "an answer to go on with, without the space at its end",
        [HI, {"role": "assistant", "content": "One, two, \n"}],
        [],
        [HI, {"role": "assistant", "content": "One, two,"}],
    ),
    ("an empty answer to go on with", [HI, {"role": "assistant", "content": " "}], [], [HI]),
    (
        "thinking that was signed",
        [
            HI,
            {
                "role": "assistant",
                "content": "a",
                "reasoning_content": "hm",
                "thinking_blocks": [
                    {"type": "thinking", "thinking": "hm", "signature": "s", "index": 0},
                    {"type": "redacted_thinking", "data": "d"},
                    {"type": "thinking", "thinking": "forged"},
                ],
            },
            HI,
        ],
        [],
        [
            HI,
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "redacted_thinking", "data": "d"},
                    text("a"),
                ],
            },
            HI,
        ],
    ),
]


@pytest.mark.parametrize(("what", "said", "system", "turns"), CASES, ids=[c[0] for c in CASES])
def test_conversations(what: str, said: list[Json], system: list[Json], turns: list[Json]) -> None:
    """Roles, contents and tool results as Anthropic has them."""
    assert conversation(said) == (system, turns), what


def part(content: Json) -> list[Json]:
    return [{"role": "user", "content": [content]}]


REFUSALS: list[tuple[list[Json], str]] = [
    ([{"role": "function", "name": "f", "content": "1"}], "messages[0].role"),
    ([{"content": "hi"}], "messages[0].role"),
    (part({"type": "input_audio", "input_audio": {}}), "messages[0].content[0]"),
    (part({"type": "video"}), "messages[0].content[0].type"),
    (part({"type": "text", "text": 3}), "messages[0].content[0].text"),
    (part({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}), ".image_url"),
    (part({"type": "image_url", "image_url": {"url": "data:image/png,AAAA"}}), ".image_url"),
    (part({"type": "image_url"}), ".image_url"),
    (part({"type": "file", "file": {"file_id": "file-1"}}), "messages[0].content[0].file"),
    ([{"role": "user", "content": 3}], "messages[0].content"),
    ([HI, {"role": "assistant", "function_call": {"name": "f"}}], "messages[1].function_call"),
    ([HI, {"role": "assistant", "audio": {"id": "a"}}], "messages[1].audio"),
    (
        [HI, {"role": "assistant", "tool_calls": [called("a", "{broken")]}],
        "messages[1].tool_calls[0].function.arguments",
    ),
    (
        [HI, {"role": "assistant", "tool_calls": [called("a", "[1]")]}],
        "messages[1].tool_calls[0].function.arguments",
    ),
    (
        [HI, {"role": "assistant", "tool_calls": [{"id": "a", "type": "custom"}]}],
        "messages[1].tool_calls[0].type",
    ),
    ([{"role": "tool", "content": "1"}], "messages[0].tool_call_id"),
    ([{"role": "user", "content": ""}], "messages"),
    ([{"role": "assistant", "content": " "}], "messages"),
]


@pytest.mark.parametrize(("said", "param"), REFUSALS, ids=[str(r[0]) for r in REFUSALS])
def test_refusals(said: list[Json], param: str) -> None:
    """Content that Anthropic can't take is refused, with its place."""
    with pytest.raises(GatewayError) as refusal:
        conversation(said)
    assert str(refusal.value.param).endswith(param)
