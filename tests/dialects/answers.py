"""One answer in each provider's words: some text, and calls of two tools."""

from __future__ import annotations

from tests.dialects.streams import Json

MESSAGE: Json = {
    "id": "msg_01",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-6",
    "content": [
        {"type": "thinking", "thinking": "Two tools.", "signature": "c2ln"},
        {"type": "text", "text": "Let me look: ☔️"},
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
    },
}

COMPLETION: Json = {
    "id": "chatcmpl-01",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": "gpt-4o-mini",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Let me look: ☔️",
                "refusal": None,
                "reasoning_content": "Two tools.",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city": "Köln"}'},
                    },
                    {
                        "id": "call_2",
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
        "prompt_tokens_details": {"cached_tokens": 4},
    },
}


def plain(answer: Json, text: str, reason: str) -> Json:
    """`answer` with nothing in it but `text`, ended for `reason`."""
    if "choices" in answer:
        said = {"role": "assistant", "content": text}
        return {**answer, "choices": [{"index": 0, "message": said, "finish_reason": reason}]}
    return {**answer, "content": [{"type": "text", "text": text}], "stop_reason": reason}
