"""An Anthropic conversation becomes a Chat Completions one."""

from __future__ import annotations

import pytest

from llmitm.dialects.anthropic_to_openai_messages import conversation
from llmitm.errors import GatewayError
from tests.dialects.streams import Json


def text(said: str) -> Json:
    return {"type": "text", "text": said}


def user(*blocks: Json) -> Json:
    return {"role": "user", "content": [*blocks]}


def assistant(*blocks: Json) -> Json:
    return {"role": "assistant", "content": [*blocks]}


def result(call_id: str, content: object, **more: object) -> Json:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **more}


def document(**source: object) -> Json:
    return {"type": "document", "title": "a.pdf", "source": source}


HI = {"role": "user", "content": "hi"}
PNG = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
PNG_OUT = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
PDF_OUT = {
    "type": "file",
    "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
}
USE = {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}

CASES: list[tuple[str, object, list[Json], list[Json]]] = [
    ("text", None, [HI], [HI]),
    ("system prompt", "A", [HI], [{"role": "system", "content": "A"}, HI]),
    (
        "system blocks",
        [text("A") | {"cache_control": {"type": "ephemeral"}}, text("B")],
        [HI],
        [{"role": "system", "content": "A\nB"}, HI],
    ),
    (
        "a system message later on",
        None,
        [HI, {"role": "system", "content": "C"}],
        [HI, {"role": "system", "content": "C"}],
    ),
    ("a single block", None, [user(text("hi"))], [HI]),
    ("blocks", None, [user(text("a"), PNG)], [user(text("a"), PNG_OUT)]),
    (
        "image by address",
        None,
        [user({"type": "image", "source": {"type": "url", "url": "https://x/y"}})],
        [user({"type": "image_url", "image_url": {"url": "https://x/y"}})],
    ),
    (
        "a PDF",
        None,
        [user(document(type="base64", media_type="application/pdf", data="AAAA"))],
        [user(PDF_OUT)],
    ),
    (
        "a document of text",
        None,
        [user(document(type="text", media_type="text/plain", data="words"))],
        [{"role": "user", "content": "words"}],
    ),
    (
        "a document of blocks",
        None,
        [user(document(type="content", content=[text("words"), PNG]))],
        [user(text("words"), PNG_OUT)],
    ),
    (
        "a search result",
        None,
        [
            user(
                {
                    "type": "search_result",
                    "title": "T",
                    "source": "https://x",
                    "content": [text("a"), text("b")],
                }
            )
        ],
        [{"role": "user", "content": "T\nhttps://x\na\nb"}],
    ),
    (
        "tool calls and results; pictures are shown by the user",
        None,
        [
            HI,
            assistant(text("Look"), text("ing."), USE),
            user(result("a", [text("1"), text("2"), PNG]), text("and?")),
        ],
        [
            HI,
            {"role": "assistant", "content": "Looking.", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "a", "content": "1\n2"},
            user(PNG_OUT, text("and?")),
        ],
    ),
    (
        "a failed tool, and one that says nothing",
        None,
        [
            HI,
            assistant(USE),
            user(result("a", "no net", is_error=True)),
            user({"type": "tool_result", "tool_use_id": "b"}),
        ],
        [
            HI,
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "a", "content": "Error: no net"},
            {"role": "tool", "tool_call_id": "b", "content": ""},
        ],
    ),
    (
        "thinking",
        None,
        [
            HI,
            assistant(
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "redacted_thinking", "data": "d"},
                text("a"),
            ),
            assistant({"type": "thinking", "thinking": "hm", "signature": "s"}),
        ],
        [HI, {"role": "assistant", "content": "a"}],
    ),
]


@pytest.mark.parametrize(("what", "system", "said", "expected"), CASES, ids=[c[0] for c in CASES])
def test_conversations(what: str, system: object, said: list[Json], expected: list[Json]) -> None:
    """Roles, contents and tool results as OpenAI has them."""
    assert conversation(system, said) == expected, what


REFUSALS: list[tuple[list[Json], str]] = [
    ([{"role": "tool", "content": "1"}], "messages[0].role"),
    ([user({"type": "container_upload", "file_id": "f"})], "messages[0].content[0]"),
    ([user({"type": "text"})], "messages[0].content[0].text"),
    (
        [user({"type": "image", "source": {"type": "file", "file_id": "f"}})],
        "messages[0].content[0].source",
    ),
    ([user(document(type="url", url="https://x/a.pdf"))], "messages[0].content[0].source"),
    (
        [user(document(type="content", content=[document(type="text", data="a")]))],
        "messages[0].content[0].source.content",
    ),
    (
        [assistant({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}})],
        "messages[0].content[0]",
    ),
    ([assistant({"type": "tool_use", "id": "a", "input": {}})], "messages[0].content[0].name"),
    ([user({"type": "tool_result", "content": "1"})], "messages[0].content[0].tool_use_id"),
    ([{"role": "user", "content": 7}], "messages[0].content"),
    ([{"role": "system", "content": [PNG]}], "messages[0]"),
]


@pytest.mark.parametrize(("said", "param"), REFUSALS, ids=[str(r[0]) for r in REFUSALS])
def test_refusals(said: list[Json], param: str) -> None:
    """Content that OpenAI can't take is refused, with its place."""
    with pytest.raises(GatewayError) as refusal:
        conversation(None, said)
    assert refusal.value.param == param
