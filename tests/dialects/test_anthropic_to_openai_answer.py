"""A chat completion becomes an Anthropic message."""

from __future__ import annotations

import pytest
from anthropic.types import Message
from openai.types.chat import ChatCompletion

from llmitm.dialects.anthropic_to_openai_answer import STOP, message, message_usage, stop_reason
from llmitm.errors import Cause, GatewayError
from tests.dialects.streams import Json

COMPLETION: Json = {
    "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Looking it up.",
                "refusal": None,
                "reasoning_content": "Rain needs a tool.",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city": "Köln"}'},
                    },
                    {
                        "id": "call_2",
                        "type": "function",
                        "function": {"name": "now", "arguments": ""},
                    },
                ],
            },
            "logprobs": None,
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {
        "prompt_tokens": 17,
        "completion_tokens": 25,
        "total_tokens": 42,
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
    },
}


def test_golden_answer() -> None:
    """Thinking, text, tool calls, stop reason and usage, each where Anthropic has it."""
    ChatCompletion.model_validate(COMPLETION)  # what we translate is what OpenAI sends
    answer = message(COMPLETION, "gpt-4o-mini")
    Message.model_validate(answer)
    assert answer == {
        "id": "msg_B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        "type": "message",
        "role": "assistant",
        "model": "gpt-4o-mini",
        "content": [
            {"type": "thinking", "thinking": "Rain needs a tool.", "signature": ""},
            {"type": "text", "text": "Looking it up."},
            {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Köln"}},
            {"type": "tool_use", "id": "call_2", "name": "now", "input": {}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 3,
            "cache_read_input_tokens": 4,
            "output_tokens": 25,
        },
    }


@pytest.mark.parametrize(("finish", "reason"), [*STOP.items(), ("", "end_turn"), ("x", "end_turn")])
def test_stop_reasons(finish: str, reason: str) -> None:
    """Every finish reason has a stop reason; one that nobody knows ends the turn."""
    assert stop_reason(finish, called=False) == reason


def test_tool_call_that_finished_with_stop() -> None:
    """Some servers say `stop` though a tool is called; a length stays a length."""
    assert stop_reason("stop", called=True) == "tool_use"
    assert stop_reason("length", called=True) == "max_tokens"


def with_message(**said: object) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", **said}, "finish_reason": "stop"}
    return {"id": "x", "choices": [choice]}


@pytest.mark.parametrize(
    ("said", "content"),
    [
        ({"content": None}, []),
        ({"content": "a", "reasoning": "hm"}, ["hm", "a"]),
        ({"content": None, "refusal": "No."}, ["No."]),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, ["ab"]),
    ],
)
def test_what_compatible_servers_say(said: Json, content: list[str]) -> None:
    """Reasoning under its other name, refusals, and content in parts."""
    blocks = message(with_message(**said), "m")["content"]
    assert [block.get("text") or block.get("thinking") for block in blocks] == content


def test_tool_call_without_an_id_gets_one() -> None:
    """A server that gives no id leaves its client nothing to answer to."""
    call = {"function": {"name": "f", "arguments": "{}"}}
    block = message(with_message(tool_calls=[call]), "m")["content"][0]
    assert block["id"].startswith("call_")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"choices": []},
        {"choices": None, "error": {"message": "x"}},
        with_message(tool_calls=[{"id": "a", "function": {"name": "f", "arguments": "{"}}]),
        with_message(tool_calls=[{"id": "a", "function": {"name": "f", "arguments": "[]"}}]),
    ],
)
def test_answer_that_makes_no_sense_is_invalid(body: Json) -> None:
    """What has no completion, or a tool call that can't be read, is an invalid answer."""
    with pytest.raises(GatewayError) as fault:
        message(body, "m")
    assert fault.value.cause is Cause.INVALID_RESPONSE


def test_cached_tokens_never_make_the_input_negative() -> None:
    """A provider that counts more cached tokens than tokens is not believed."""
    usage = {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 5}}
    assert message_usage(usage)["input_tokens"] == 0
