"""The OpenAI SDK on an Anthropic provider."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from pydantic import BaseModel

from llmitm.dialects.openai_to_anthropic import ChatToMessages
from tests.dialects.answers import MESSAGE, plain
from tests.dialects.sdk import Gateway, Provider, openai_client
from tests.dialects.streams import Json

MODEL = "claude-sonnet-4-6"
HI: Any = [{"role": "user", "content": "hi"}]


def connect(answer: Json, status: int = 200) -> tuple[openai.OpenAI, Provider]:
    provider = Provider("anthropic", answer, status)
    return openai_client(Gateway("openai", ChatToMessages, provider)), provider


def test_whole_answer() -> None:
    """`create` gives text, tool calls, thinking and usage."""
    client, provider = connect(MESSAGE)
    completion = client.chat.completions.create(model=MODEL, messages=HI, temperature=1.5)
    choice = completion.choices[0]
    assert choice.message.content == "Let me look: ☔️"
    assert choice.message.model_extra is not None
    assert choice.message.model_extra["reasoning_content"] == "Two tools."
    assert [call.to_dict() for call in choice.message.tool_calls or []] == [
        {
            "id": "toolu_1",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city":"Köln"}'},
        },
        {"id": "toolu_2", "type": "function", "function": {"name": "now", "arguments": "{}"}},
    ]
    assert choice.finish_reason == "tool_calls"
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == 17
    assert completion.usage.prompt_tokens_details is not None
    assert completion.usage.prompt_tokens_details.cached_tokens == 4
    path, request = provider.asked[0]
    assert path == "/v1/messages"
    assert request["temperature"] == 1


def test_stream() -> None:
    """`stream` accumulates to the same answer, with usage where it is asked for."""
    client, provider = connect(MESSAGE)
    with client.chat.completions.stream(
        model=MODEL, messages=HI, stream_options={"include_usage": True}
    ) as stream:
        completion = stream.get_final_completion()
    message = completion.choices[0].message
    assert message.content == "Let me look: ☔️"
    assert message.tool_calls is not None
    assert [c.function.name for c in message.tool_calls] == ["weather", "now"]
    assert [c.function.arguments for c in message.tool_calls] == ['{"city": "Köln"}', "{}"]
    assert completion.choices[0].finish_reason == "tool_calls"
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (17, 25)
    assert provider.asked[0][1]["stream"] is True


def test_stream_without_usage() -> None:
    """A client that does not ask for usage sees no chunk without choices."""
    client, _ = connect(MESSAGE)
    chunks = list(client.chat.completions.create(model=MODEL, messages=HI, stream=True))
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)


def test_answer_goes_back_as_it_came() -> None:
    """A tool loop as the SDK does it returns signed thinking, calls and results to Anthropic."""
    client, provider = connect(MESSAGE)
    said: Any = client.chat.completions.create(model=MODEL, messages=HI).choices[0].message
    results: list[Any] = [
        {"role": "tool", "tool_call_id": call.id, "content": "ok"} for call in said.tool_calls or []
    ]
    client.chat.completions.create(model=MODEL, messages=[*HI, said, *results])
    _, assistant, user = provider.asked[1][1]["messages"]
    assert assistant["content"] == MESSAGE["content"]
    assert user["content"] == [
        {"type": "tool_result", "tool_use_id": call_id, "content": "ok"}
        for call_id in ("toolu_1", "toolu_2")
    ]


class Answer(BaseModel):
    n: int


def test_structured_output() -> None:
    """`parse` asks Anthropic for its schema and reads the answer."""
    client, provider = connect(plain(MESSAGE, '{"n": 3}', "end_turn"))
    completion = client.chat.completions.parse(model=MODEL, messages=HI, response_format=Answer)
    assert completion.choices[0].message.parsed == Answer(n=3)
    wanted = provider.asked[0][1]["output_config"]["format"]
    assert wanted["type"] == "json_schema"
    assert wanted["schema"]["required"] == ["n"]


def test_refusal_of_a_parameter() -> None:
    """What can't be carried is a BadRequestError that names the parameter."""
    client, provider = connect(MESSAGE)
    with pytest.raises(openai.BadRequestError) as fault:
        client.chat.completions.create(model=MODEL, messages=HI, n=2)
    assert fault.value.param == "n"
    assert not provider.asked


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (400, "invalid_request_error", openai.BadRequestError),
        (404, "not_found_error", openai.NotFoundError),
        (429, "rate_limit_error", openai.RateLimitError),
        (529, "overloaded_error", openai.InternalServerError),
    ],
)
def test_errors(status: int, kind: str, expected: type[openai.APIStatusError]) -> None:
    """A provider's error keeps its message and raises what an OpenAI client expects."""
    error = {"type": "error", "error": {"type": kind, "message": "what it was"}}
    client, _ = connect(error, status)
    with pytest.raises(expected, match="what it was"):
        client.chat.completions.create(model=MODEL, messages=HI)
