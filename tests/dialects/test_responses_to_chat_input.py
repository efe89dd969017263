"""The items of a Responses input become the messages of a conversation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessageParam
from pydantic import TypeAdapter

from llmitm.dialects.responses_to_chat_input import conversation
from llmitm.dialects.sealed_thoughts import sealed
from llmitm.errors import Cause, GatewayError
from tests.dialects.streams import ARGUMENTS, NAMES, WORDS, Json

_MESSAGES: TypeAdapter[Any] = TypeAdapter(list[ChatCompletionMessageParam])
HI: Json = {"role": "user", "content": "hi"}
PNG = "data:image/png;base64,iVBOR"
BLOCK: Json = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}


def call(number: int = 1, name: str = "f", arguments: str = "{}") -> Json:
    item = {"type": "function_call", "call_id": f"call_{number}", "name": name}
    return {**item, "arguments": arguments, "id": f"fc_{number}", "status": "completed"}


def result(number: int = 1, output: Any = "ok") -> Json:
    return {"type": "function_call_output", "call_id": f"call_{number}", "output": output}


def called(*numbers: int, content: str | None = None) -> Json:
    function = {"name": "f", "arguments": "{}"}
    calls = [{"id": f"call_{n}", "type": "function", "function": function} for n in numbers]
    return {"role": "assistant", "content": content, "tool_calls": calls}


def tool(number: int = 1, content: str = "ok") -> Json:
    return {"role": "tool", "tool_call_id": f"call_{number}", "content": content}


def said(text: str) -> Json:
    part = {"type": "output_text", "text": text, "annotations": []}
    head = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant"}
    return {**head, "content": [part]}


def user(*content: Json) -> Json:
    return {"role": "user", "content": [*content]}


def picture(**more: str) -> Json:
    return {"type": "image_url", "image_url": {"url": PNG, **more}}


SHOWN: Json = {"type": "input_image", "image_url": PNG, "detail": "auto"}

CASES: list[tuple[str, Any, list[Json]]] = [
    ("a text", "hi", [HI]),
    ("a message", [HI], [HI]),
    ("a typed message", [{"type": "message", **HI}], [HI]),
    ("a text part", [user({"type": "input_text", "text": "hi"})], [HI]),
    ("roles", [{**HI, "role": "developer"}, HI], [{**HI, "role": "system"}, HI]),
    ("a picture", [user(SHOWN)], [user(picture())]),
    ("a picture in detail", [user({**SHOWN, "detail": "high"})], [user(picture(detail="high"))]),
    (
        "a file",
        [user({"type": "input_file", "filename": "a.pdf", "file_data": "data:x;base64,AA"})],
        [user({"type": "file", "file": {"file_data": "data:x;base64,AA", "filename": "a.pdf"}})],
    ),
    (
        "sound",
        [user({"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}})],
        [user({"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}})],
    ),
    ("an answer", [HI, said("a")], [HI, {"role": "assistant", "content": "a"}]),
    (
        "an answer in short",
        [HI, {"role": "assistant", "content": "a"}],
        [HI, {"role": "assistant", "content": "a"}],
    ),
    (
        "two answers",
        [said("a"), said("b")],
        [{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}],
    ),
    (
        "a refusal",
        [{"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}],
        [{"role": "assistant", "content": "no"}],
    ),
    ("a call", [HI, call(), result()], [HI, called(1), tool()]),
    ("text and calls", [said("a"), call(1), call(2)], [called(1, 2, content="a")]),
    ("calls and text", [call(1), said("a"), result(1)], [called(1, content="a"), tool(1)]),
    (
        "calls and texts",
        [said("a"), call(1), said("b"), result(1)],
        [called(1, content="a\nb"), tool(1)],
    ),
    (
        "call after call",
        [call(1), result(1), call(2), result(2)],
        [called(1), tool(1), called(2), tool(2)],
    ),
    (
        "a result in parts",
        [call(), result(1, [{"type": "input_text", "text": t} for t in "ab"])],
        [called(1), tool(1, "a\nb")],
    ),
    (
        "pictures of tools come after all results",
        [call(1), call(2), result(1, [SHOWN]), result(2), HI],
        [called(1, 2), tool(1, ""), tool(2), user(picture()), HI],
    ),
    (
        "a picture of the last tool",
        [call(), result(1, [SHOWN])],
        [called(1), tool(1, ""), user(picture())],
    ),
    (
        "thoughts of others",
        [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}, call()],
        [called(1)],
    ),
]


@pytest.mark.parametrize(("what", "given", "expected"), CASES, ids=[case[0] for case in CASES])
def test_items(what: str, given: Any, expected: list[Json]) -> None:
    """Each kind of item becomes a message or a part of one, which the SDK's types accept."""
    messages = conversation(None, given)
    assert messages == expected
    _MESSAGES.validate_python(messages)


@pytest.mark.parametrize(("instructions", "first"), [("Be brief.", "system"), ("", "user")])
def test_instructions_come_first(instructions: str, first: str) -> None:
    """They are the system's, and nothing where they are empty."""
    assert conversation(instructions, "hi")[0]["role"] == first


def thought(*blocks: Json) -> Json:
    return {"type": "reasoning", "summary": [], "encrypted_content": sealed([*blocks])}


def test_signed_thoughts_go_back_with_what_followed() -> None:
    """They stand before the text and the calls of the same turn, and begin another turn's."""
    other = {**BLOCK, "thinking": "Then."}
    items = [thought(BLOCK), said("a"), call(1), result(1), thought(other), thought(BLOCK), call(2)]
    assert conversation(None, items, thinking=True) == [
        {**called(1, content="a"), "thinking_blocks": [BLOCK]},
        tool(1),
        {**called(2), "thinking_blocks": [other, BLOCK]},
    ]
    later = conversation(None, [said("a"), thought(BLOCK), said("b")], thinking=True)
    assert [message.get("thinking_blocks") for message in later] == [None, [BLOCK]]


def test_no_thoughts_for_others() -> None:
    """A server of Chat Completions would refuse a field that it doesn't know."""
    assert conversation(None, [thought(BLOCK), call(1)]) == [called(1)]


REFUSALS: list[tuple[Any, str, str]] = [
    ([], "input", "text or a list"),
    (7, "input", "text or a list"),
    (["hi"], "input", "list of objects"),
    ([{"type": "item_reference", "id": "msg_1"}], "input[0]", "send the item itself"),
    ([HI, {"type": "web_search_call"}], "input[1].type", "web_search_call"),
    ([{"type": ["message"]}], "input[0].type", "another provider"),
    ([{"type": "compaction", "encrypted_content": "x"}], "input[0].type", "compaction"),
    ([{**HI, "role": "critic"}], "input[0].role", "critic"),
    ([{**HI, "role": ["user"]}], "input[0].role", "no role"),
    ([{**HI, "content": 7}], "input[0].content", "list of objects"),
    ([user({"type": "input_video"})], "input[0].content[0].type", "input_video"),
    ([user({"type": "input_image", "file_id": "f"})], "input[0].content[0]", "data URL"),
    ([user({"type": "input_file", "file_id": "f"})], "input[0].content[0]", "as file_data"),
    ([user({"type": "input_file", "file_url": "u"})], "input[0].content[0]", "as file_data"),
    ([user({"type": "input_text"})], "input[0].content[0].text", "string"),
    ([{"role": "assistant", "content": [SHOWN]}], "input[0].content[0].type", "says"),
    ([{**call(), "arguments": {}}], "input[0].arguments", "string"),
    ([{**call(), "call_id": None}], "input[0].call_id", "string"),
    ([{**result(), "call_id": None}], "input[0].call_id", "string"),
]


@pytest.mark.parametrize(("given", "param", "why"), REFUSALS)
def test_refusals(given: Any, param: str, why: str) -> None:
    """What means nothing elsewhere is refused where it stands."""
    with pytest.raises(GatewayError, match=why) as refusal:
        conversation(None, given)
    assert (refusal.value.cause, refusal.value.param) == (Cause.INVALID_REQUEST, param)


@given(st.lists(st.tuples(NAMES, ARGUMENTS, WORDS), min_size=1, max_size=4))
def test_every_call_has_its_result_right_after(steps: list[tuple[str, Json, str]]) -> None:
    """However many calls are made at once, their results follow in one run."""
    calls = [call(i, name) for i, (name, _, _) in enumerate(steps)]
    results = [result(i, output) for i, (_, _, output) in enumerate(steps)]
    first, *answers = conversation(None, [*calls, *results])
    assert [c["id"] for c in first["tool_calls"]] == [m["tool_call_id"] for m in answers]
    assert [m["content"] for m in answers] == [output for _, _, output in steps]
