"""Every dialect's messages come down to the same turns."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmitm.simulator.refusals import Refused
from llmitm.simulator.turns import split_prefill, turns_of

CALL = 'look_up({"a":1,"b":2})'

SAME: list[tuple[str, Any, Any, Any]] = [
    (
        "system prompt",
        [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        ([{"role": "user", "content": [{"type": "text", "text": "Hi"}]}], "Be brief."),
        (("system", "Be brief."), ("user", "Hi")),
    ),
    (
        "system prompts that come late, in parts",
        [
            {"role": "user", "content": "Hi"},
            {"role": "system", "content": "Be brief."},
            {"role": "system", "content": "Be kind."},
        ],
        (
            [{"role": "user", "content": "Hi"}],
            [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
        ),
        (("system", "Be brief.\nBe kind."), ("user", "Hi")),
    ),
    (
        "tool call and its result",
        [
            {"role": "user", "content": "Hi"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"function": {"name": "look_up", "arguments": '{"b":2,"a":1}'}}],
            },
            {"role": "tool", "content": "found", "tool_call_id": "x"},
        ],
        (
            [
                {"role": "user", "content": "Hi"},
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "name": "look_up", "input": {"a": 1, "b": 2}}],
                },
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "content": "found", "tool_use_id": "x"}],
                },
            ],
            None,
        ),
        (("user", "Hi"), ("assistant", CALL), ("tool", "found")),
    ),
    (
        "items of the Responses API",
        [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
            {"type": "function_call", "name": "look_up", "arguments": '{"a":1,"b":2}'},
            {"type": "function_call_output", "output": "found"},
        ],
        (
            [
                {"role": "user", "content": "Hi"},
                {
                    "role": "assistant",
                    "content": "",
                    "tool_calls": [
                        {"function": {"name": "look_up", "arguments": {"a": 1, "b": 2}}}
                    ],
                },
                {"role": "tool", "content": "found"},
            ],
            None,
        ),
        (("user", "Hi"), ("assistant", CALL), ("tool", "found")),
    ),
]


@pytest.mark.parametrize(("name", "one", "other", "turns"), SAME, ids=[row[0] for row in SAME])
def test_dialects_agree(name: str, one: Any, other: Any, turns: Any) -> None:
    """The same conversation gives the same turns in two dialects."""
    assert turns_of(one) == turns_of(*other) == turns


def test_a_picture_is_named_by_its_content() -> None:
    """One picture is the same turn in three dialects, another picture is not."""
    openai = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    anthropic = {"type": "image", "source": {"type": "base64", "data": "AAAA"}}
    ollama = {"role": "user", "content": "", "images": ["AAAA"]}
    turns = turns_of([{"role": "user", "content": [openai]}])
    assert turns == turns_of([{"role": "user", "content": [anthropic]}]) == turns_of([ollama])
    assert turns != turns_of([{**ollama, "images": ["BBBB"]}])


@pytest.mark.parametrize(
    ("messages", "left", "prefill"),
    [
        ([{"role": "user", "content": "Hi"}], 1, None),
        ([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "One"}], 1, "One"),
        (
            [{"role": "assistant", "content": [{"type": "text", "text": "One two"}]}],
            0,
            "One two",
        ),
        ([{"role": "assistant", "content": None, "tool_calls": [{}]}], 1, None),
        ([], 0, None),
    ],
)
def test_prefill_is_the_last_assistant_text(
    messages: list[Any], left: int, prefill: str | None
) -> None:
    """Only an assistant's text that is given last is a prefill."""
    before, found = split_prefill(messages)
    assert (len(before), found) == (left, prefill)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.lists(st.fixed_dictionaries({"role": st.text()}, optional={"content": json_values})))
def test_odd_messages_are_refused_or_read(messages: list[Any]) -> None:
    """Whatever stands in a message, it is read or refused."""
    with contextlib.suppress(Refused):
        assert all(isinstance(text, str) for _, text in turns_of(messages))


@pytest.mark.parametrize("messages", [["Hi"], [{}], [{"role": "user", "content": 3}]])
def test_what_is_no_message_is_refused(messages: list[Any]) -> None:
    """Refuses what no dialect calls a message."""
    with pytest.raises(Refused):
        turns_of(messages)
