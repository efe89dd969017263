"""An Anthropic message becomes a chat completion."""

from __future__ import annotations

import pytest
from anthropic.types import Message
from openai.types.chat import ChatCompletion

from llmitm.dialects.openai_to_anthropic_answer import FINISH, chat_completion, chat_usage
from llmitm.errors import Cause, GatewayError
from tests.dialects.streams import Json

MESSAGE: Json = {
    "id": "msg_013Zva2CMHLNnjNjwqcCe3Xp",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-6",
    "content": [
        {"type": "thinking", "thinking": "Rain needs a tool.", "signature": "c2ln"},
        {"type": "text", "text": "Looking "},
        {"type": "text", "text": "it up."},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Köln"}},
        {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 10,
        "cache_creation_input_tokens": 3,
        "cache_read_input_tokens": 4,
        "output_tokens": 25,
        "output_tokens_details": {"thinking_tokens": 8},
    },
}


def test_golden_answer() -> None:
    """Text, tool calls, thinking, finish reason and usage, each where OpenAI has it."""
    Message.model_validate(MESSAGE)  # what we translate is what Anthropic sends
    completion = chat_completion(MESSAGE, "claude")
    ChatCompletion.model_validate(completion)
    assert completion.pop("created") > 1_700_000_000
    assert completion == {
        "id": "chatcmpl-013Zva2CMHLNnjNjwqcCe3Xp",
        "object": "chat.completion",
        "model": "claude",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Looking it up.",
                    "refusal": None,
                    "reasoning_content": "Rain needs a tool.",
                    "thinking_blocks": [MESSAGE["content"][0]],
                    "tool_calls": [
                        {
                            "id": "toolu_1",
                            "type": "function",
                            "function": {"name": "weather", "arguments": '{"city":"Köln"}'},
                        },
                        {
                            "id": "toolu_2",
                            "type": "function",
                            "function": {"name": "now", "arguments": "{}"},
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
            "prompt_tokens_details": {
                "cached_tokens": 4,
                "cache_write_tokens": 3,
                "audio_tokens": 0,
            },
            "completion_tokens_details": {"reasoning_tokens": 8, "audio_tokens": 0},
        },
    }


@pytest.mark.parametrize(("reason", "finish"), [*FINISH.items(), ("new", "stop"), (None, "stop")])
def test_finish_reasons(reason: str | None, finish: str) -> None:
    """Every stop reason has a finish reason; one that nobody knows is a plain stop."""
    completion = chat_completion({**MESSAGE, "stop_reason": reason}, "m")
    ChatCompletion.model_validate(completion)
    assert completion["choices"][0]["finish_reason"] == finish


def test_refusal_is_told() -> None:
    """Why Anthropic refused is OpenAI's `refusal`."""
    details = {"type": "refusal", "category": "bio", "explanation": "Not that."}
    message = {**MESSAGE, "content": [], "stop_reason": "refusal", "stop_details": details}
    said = chat_completion(message, "m")["choices"][0]["message"]
    assert said == {"role": "assistant", "content": None, "refusal": "Not that."}


def test_thinking_that_is_kept_back_goes_back_too() -> None:
    """Redacted thinking says nothing, but Anthropic wants it back in the next request."""
    block = {"type": "redacted_thinking", "data": "ZGF0YQ"}
    said = chat_completion({**MESSAGE, "content": [block]}, "m")["choices"][0]["message"]
    assert said["thinking_blocks"] == [block]
    assert "reasoning_content" not in said


@pytest.mark.parametrize("body", [{}, {"content": None}, {"content": "text"}, {"type": "error"}])
def test_answer_without_content_is_invalid(body: Json) -> None:
    """What is no message is an invalid answer, so that another target is asked."""
    with pytest.raises(GatewayError) as fault:
        chat_completion(body, "m")
    assert fault.value.cause is Cause.INVALID_RESPONSE


def test_usage_of_nothing() -> None:
    """A message without usage has zeros, as the SDK wants numbers."""
    assert chat_usage({})["total_tokens"] == 0
