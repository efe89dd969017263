"""OpenAI's whole answers become Ollama's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import ollama
import pytest

from llmitm.dialects.ollama_to_openai_answer import (
    answer,
    as_chat,
    as_generate,
    embeddings,
    ending,
)
from llmitm.errors import Cause, GatewayError
from tests.dialects.streams import Json

TIMES: Json = {"total_duration": 7, "load_duration": 0}
COMPLETION: Json = {
    "id": "chatcmpl-1",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Rain.",
                "reasoning_content": "Hm.",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "f", "arguments": '{"x": [1]}'},
                    }
                ],
            },
            "logprobs": {"content": [{"token": "Rain.", "logprob": -0.1, "top_logprobs": []}]},
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 3},
}
COUNTS: Json = {"prompt_eval_count": 9, "eval_count": 3}


def test_golden_chat_answer() -> None:
    """Text, thinking, tool calls with arguments as an object, and counts."""
    said = answer(COMPLETION, "llama3.2", as_chat, TIMES)
    ollama.ChatResponse.model_validate(said)
    made = datetime.fromisoformat(said.pop("created_at"))
    assert datetime.now(UTC) - made < timedelta(minutes=1)
    assert said == {
        "model": "llama3.2",
        "message": {
            "role": "assistant",
            "content": "Rain.",
            "thinking": "Hm.",
            "tool_calls": [{"id": "call_1", "function": {"name": "f", "arguments": {"x": [1]}}}],
        },
        "logprobs": COMPLETION["choices"][0]["logprobs"]["content"],
        "done": True,
        "done_reason": "stop",
        **TIMES,
        **COUNTS,
    }


def test_golden_generate_answer() -> None:
    """/api/generate says the text by itself."""
    said = answer(COMPLETION, "llama3.2", as_generate, TIMES)
    ollama.GenerateResponse.model_validate(said)
    assert (said["response"], said["thinking"], said["done"]) == ("Rain.", "Hm.", True)
    assert "message" not in said


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("stop", "stop"), ("length", "length"), ("tool_calls", "stop"), ("", "stop")],
)
def test_done_reasons(finish: str, reason: str) -> None:
    """Ollama stops after a tool call, and says when a limit cut it off."""
    assert ending(finish, {}, {})["done_reason"] == reason


def test_counts_of_zero_are_left_out() -> None:
    """As Ollama does."""
    assert ending("stop", {"prompt_tokens": 4, "completion_tokens": 0}, {}) == {
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 4,
    }


EMBEDDINGS: Json = {
    "object": "list",
    "data": [
        {"object": "embedding", "index": 1, "embedding": [0.3]},
        {"object": "embedding", "index": 0, "embedding": [0.1]},
    ],
    "usage": {"prompt_tokens": 5, "total_tokens": 5},
}


def test_golden_embeddings() -> None:
    """All vectors, in the order of their inputs."""
    found = embeddings(EMBEDDINGS, "m", TIMES, single=False)
    ollama.EmbedResponse.model_validate(found)
    assert found == {
        "model": "m",
        "embeddings": [[0.1], [0.3]],
        **TIMES,
        "prompt_eval_count": 5,
    }


def test_single_embedding() -> None:
    """The older /api/embeddings knows one vector and nothing else."""
    assert embeddings(EMBEDDINGS, "m", TIMES, single=True) == {"embedding": [0.1]}


def test_answers_that_make_no_sense_are_invalid() -> None:
    """What has no completion, or a tool call that can't be read, is an invalid answer."""
    call = {"function": {"name": "f", "arguments": "{"}}
    broken: Json = {"choices": [{"message": {"tool_calls": [call]}}]}
    bodies: list[Json] = [{}, {"choices": []}, broken]
    for body in bodies:
        with pytest.raises(GatewayError) as fault:
            answer(body, "m", as_chat, TIMES)
        assert fault.value.cause is Cause.INVALID_RESPONSE


@pytest.mark.parametrize("body", [{}, {"data": []}, {"data": [{"embedding": "AAAA"}]}])
def test_embeddings_that_make_no_sense_are_invalid(body: Json) -> None:
    """No vectors, or vectors that are no lists of numbers, are an invalid answer."""
    with pytest.raises(GatewayError) as fault:
        embeddings(body, "m", TIMES, single=False)
    assert fault.value.cause is Cause.INVALID_RESPONSE
