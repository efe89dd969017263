"""An Ollama conversation becomes a Chat Completions one."""

from __future__ import annotations

import pytest

from llmitm.dialects.ollama_to_openai_messages import conversation
from llmitm.errors import GatewayError
from tests.dialects.streams import Json

HI: Json = {"role": "user", "content": "hi"}


def use(name: str, **more: object) -> Json:
    return {"function": {"name": name, "arguments": {"x": 1}}, **more}


def called(call_id: str, name: str) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": '{"x":1}'}}


def assistant(*calls: Json) -> Json:
    return {"role": "assistant", "content": "", "tool_calls": [*calls]}


def calling(*calls: Json) -> Json:
    return {"role": "assistant", "content": None, "tool_calls": [*calls]}


def answer(content: str, **more: str) -> Json:
    return {"role": "tool", "content": content, **more}


def answered(call_id: str, content: str) -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def image(url: str) -> Json:
    return {"type": "image_url", "image_url": {"url": url}}


CASES: list[tuple[str, list[Json], list[Json]]] = [
    (
        "text",
        [{"role": "system", "content": "A"}, HI, {"role": "assistant", "content": ""}],
        [{"role": "system", "content": "A"}, HI, {"role": "assistant", "content": ""}],
    ),
    (
        "images, whose kind shows in their first bytes",
        [{**HI, "images": ["iVBORw0KGgo", "/9j/4AAQ", "R0lGODlh", "UklGRg", "https://x/y"]}],
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "hi"},
                    image("data:image/png;base64,iVBORw0KGgo"),
                    image("data:image/jpeg;base64,/9j/4AAQ"),
                    image("data:image/gif;base64,R0lGODlh"),
                    image("data:image/webp;base64,UklGRg"),
                    image("https://x/y"),
                ],
            }
        ],
    ),
    (
        "tool results by name",
        [HI, assistant(use("f"), use("g")), answer("2", tool_name="g"), answer("1", tool_name="f")],
        [
            HI,
            calling(called("call_1_0", "f"), called("call_1_1", "g")),
            answered("call_1_1", "2"),
            answered("call_1_0", "1"),
        ],
    ),
    (
        "tool results in order, of one tool called twice",
        [HI, assistant(use("f"), use("f")), answer("1"), answer("2", tool_name="f")],
        [
            HI,
            calling(called("call_1_0", "f"), called("call_1_1", "f")),
            answered("call_1_0", "1"),
            answered("call_1_1", "2"),
        ],
    ),
    (
        "tool results by id",
        [HI, assistant(use("f", id="a"), use("f", id="b")), answer("2", tool_call_id="b")],
        [HI, calling(called("a", "f"), called("b", "f")), answered("b", "2")],
    ),
    (
        "two rounds of calls have ids of their own",
        [HI, assistant(use("f")), answer("1"), assistant(use("f")), answer("2")],
        [
            HI,
            calling(called("call_1_0", "f")),
            answered("call_1_0", "1"),
            calling(called("call_3_0", "f")),
            answered("call_3_0", "2"),
        ],
    ),
    (
        "thinking is left out",
        [HI, {"role": "assistant", "content": "a", "thinking": "hm"}],
        [HI, {"role": "assistant", "content": "a"}],
    ),
]


@pytest.mark.parametrize(("what", "said", "expected"), CASES, ids=[c[0] for c in CASES])
def test_conversations(what: str, said: list[Json], expected: list[Json]) -> None:
    """Roles, images and tool calls as OpenAI has them."""
    assert conversation(said) == expected, what


REFUSALS: list[tuple[list[Json], str]] = [
    ([{"role": "robot", "content": "a"}], "messages[0].role"),
    ([{"role": "user", "content": ["a"]}], "messages[0].content"),
    ([{**HI, "images": [3]}], "messages[0].images"),
    ([HI, answer("1")], "messages[1]"),
    ([HI, assistant(use("f")), answer("1", tool_name="g")], "messages[2]"),
    ([HI, assistant(use("f")), answer("1"), answer("2")], "messages[3]"),
    ([HI, assistant({"function": {"arguments": {}}})], "messages[1].tool_calls[0].function.name"),
    (
        [HI, assistant({"function": {"name": "f", "arguments": "{}"}})],
        "messages[1].tool_calls[0].function.arguments",
    ),
]


@pytest.mark.parametrize(("said", "param"), REFUSALS, ids=[r[1] for r in REFUSALS])
def test_refusals(said: list[Json], param: str) -> None:
    """A conversation that OpenAI would not understand is refused, with the place."""
    with pytest.raises(GatewayError) as refusal:
        conversation(said)
    assert refusal.value.param == param
