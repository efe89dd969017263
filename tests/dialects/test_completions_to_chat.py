"""OpenAI's legacy completions are told through Chat Completions."""

from __future__ import annotations

from typing import Any, get_type_hints

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import completion_create_params

from llmitm.dialects.completions_to_chat import (
    CARRIED,
    REFUSED,
    CompletionsToChat,
    CompletionStream,
    text_completion,
)
from llmitm.errors import GatewayError
from tests.dialects.answers import COMPLETION, plain
from tests.dialects.sdk import Gateway, Provider, openai_client
from tests.dialects.streams import PLACES, Json, completions, cut, openai_chunks, payloads, run, sse


def client(answer: Json) -> tuple[openai.OpenAI, Provider]:
    provider = Provider("openai", answer)
    return openai_client(Gateway("openai", CompletionsToChat, provider)), provider


def test_sdk() -> None:
    """The SDK gets its text, whole and in a stream, with the finish reason."""
    sdk, provider = client(plain(COMPLETION, "Once upon a time", "length"))
    whole = sdk.completions.create(model="m", prompt="Tell", max_tokens=5, temperature=0)
    assert (whole.choices[0].text, whole.choices[0].finish_reason) == ("Once upon a time", "length")
    assert whole.id == "cmpl-01"
    assert whole.usage is not None
    assert whole.usage.prompt_tokens == 17
    parts = list(sdk.completions.create(model="m", prompt=["Tell"], stream=True))
    assert "".join(c.text for part in parts for c in part.choices) == "Once upon a time"
    assert [c.finish_reason for part in parts for c in part.choices][-1] == "length"
    path, request = provider.asked[0]
    assert path == "/v1/chat/completions"
    assert request == {
        "model": "m",
        "messages": [{"role": "user", "content": "Tell"}],
        "max_tokens": 5,
        "temperature": 0,
    }


@given(completions(), st.integers(1, 5), PLACES)
def test_stream_says_what_the_whole_answer_says(
    completion: Json, size: int, places: list[int]
) -> None:
    """Text, finish reason and usage, in any chunking; [DONE] comes last."""
    out = list(payloads(run(CompletionStream(), cut(sse(openai_chunks(completion, size)), places))))
    whole = text_completion(completion, "message")
    assert out.pop() == "[DONE]"
    choices = [choice for part in out for choice in part["choices"]]
    assert "".join(choice["text"] for choice in choices) == whole["choices"][0]["text"]
    assert choices[-1]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert out[-1]["usage"] == whole["usage"]
    assert {part["id"] for part in out} == {"cmpl-01"}


REFUSALS: list[tuple[Json, str]] = [
    ({"prompt": ["a", "b"]}, "prompt"),
    ({"prompt": [1, 2, 3]}, "prompt"),
    ({"prompt": [[1, 2]]}, "prompt"),
    ({"prompt": None}, "prompt"),
    ({"prompt": "a", "suffix": "b"}, "suffix"),
    ({"prompt": "a", "echo": True}, "echo"),
    ({"prompt": "a", "best_of": 3}, "best_of"),
    ({"prompt": "a", "logprobs": 0}, "logprobs"),
]


@pytest.mark.parametrize(("asked", "param"), REFUSALS)
def test_refusals(asked: Json, param: str) -> None:
    """What a chat model can't do is refused, with the parameter's name."""
    with pytest.raises(GatewayError) as refusal:
        CompletionsToChat().request({"model": "m", **asked})
    assert refusal.value.param == param


def test_tables_name_every_parameter_once() -> None:
    """Every parameter of the SDK is carried or refused, and none is both."""
    hints: Any = get_type_hints(completion_create_params.CompletionCreateParamsBase)
    known = set(hints) | {"stream"}
    assert known == {*CARRIED, *REFUSED, "prompt"}
    assert not set(CARRIED) & set(REFUSED)
