"""The Anthropic SDK on an OpenAI provider."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from llmitm.dialects.anthropic_to_openai import MessagesToChat
from tests.dialects.answers import COMPLETION, plain
from tests.dialects.sdk import Gateway, Provider, anthropic_client
from tests.dialects.streams import Json

MODEL = "gpt-4o-mini"
HI: Any = [{"role": "user", "content": "hi"}]
CONTENT: list[Json] = [
    {"type": "thinking", "thinking": "Two tools.", "signature": ""},
    {"type": "text", "text": "Let me look: ☔️"},
    {"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Köln"}},
    {"type": "tool_use", "id": "call_2", "name": "now", "input": {}},
]


def connect(answer: Json, status: int = 200) -> tuple[anthropic.Anthropic, Provider]:
    provider = Provider("openai", answer, status)
    return anthropic_client(Gateway("anthropic", MessagesToChat, provider)), provider


def blocks(message: anthropic.types.Message) -> list[Json]:
    return [block.to_dict() for block in message.content]


def test_whole_answer() -> None:
    """`create` gives thinking, text, tool calls and usage without the cached tokens."""
    client, provider = connect(COMPLETION)
    message = client.messages.create(model=MODEL, max_tokens=50, messages=HI)
    assert blocks(message) == CONTENT
    assert message.stop_reason == "tool_use"
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (13, 4)
    path, request = provider.asked[0]
    assert path == "/v1/chat/completions"
    assert request["max_completion_tokens"] == 50


def test_stream() -> None:
    """`stream` accumulates to the same message."""
    client, provider = connect(COMPLETION)
    with client.messages.stream(model=MODEL, max_tokens=50, messages=HI) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert text == "Let me look: ☔️"
    assert blocks(message) == CONTENT
    assert message.stop_reason == "tool_use"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (13, 25)
    assert provider.asked[0][1]["stream_options"] == {"include_usage": True}


def test_answer_goes_back_as_it_came() -> None:
    """A tool loop as the SDK does it returns calls and results to OpenAI, without the thinking."""
    client, provider = connect(COMPLETION)
    message = client.messages.create(model=MODEL, max_tokens=50, messages=HI)
    results: list[Any] = [
        {"type": "tool_result", "tool_use_id": block.id, "content": "ok"}
        for block in message.content
        if block.type == "tool_use"
    ]
    said: list[Any] = [
        *HI,
        {"role": "assistant", "content": message.content},
        {"role": "user", "content": results},
    ]
    client.messages.create(model=MODEL, max_tokens=50, messages=said)
    _, assistant, *answers = provider.asked[1][1]["messages"]
    assert assistant["content"] == "Let me look: ☔️"
    assert [call["id"] for call in assistant["tool_calls"]] == ["call_1", "call_2"]
    assert answers == [
        {"role": "tool", "tool_call_id": call_id, "content": "ok"}
        for call_id in ("call_1", "call_2")
    ]


def test_cut_off_answer() -> None:
    """A limit that was reached is max_tokens."""
    client, _ = connect(plain(COMPLETION, "Once upon", "length"))
    assert (
        client.messages.create(model=MODEL, max_tokens=2, messages=HI).stop_reason == "max_tokens"
    )


def test_refusal_of_a_tool() -> None:
    """A tool that only Anthropic runs is a BadRequestError that names it."""
    client, provider = connect(COMPLETION)
    tools: Any = [{"type": "web_search_20250305", "name": "web_search"}]
    with pytest.raises(anthropic.BadRequestError, match=r"tools\[0\]"):
        client.messages.create(model=MODEL, max_tokens=5, messages=HI, tools=tools)
    assert not provider.asked


def test_error_in_the_stream() -> None:
    """An in-band error of OpenAI raises in the SDK, after the text that came before."""

    class Failing(Provider):
        def stream(self) -> bytes:
            head = super().stream().split(b"\n\n")[:4]
            return b"\n\n".join(head) + b'\n\ndata: {"error": {"message": "it broke"}}\n\n'

    client = anthropic_client(Gateway("anthropic", MessagesToChat, Failing("openai", COMPLETION)))
    with (
        pytest.raises(anthropic.APIStatusError, match="it broke"),
        client.messages.stream(model=MODEL, max_tokens=50, messages=HI) as stream,
    ):
        stream.get_final_message()


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (400, "invalid_request_error", anthropic.BadRequestError),
        (404, "invalid_request_error", anthropic.NotFoundError),
        (429, "rate_limit_exceeded", anthropic.RateLimitError),
        (500, "server_error", anthropic.InternalServerError),
    ],
)
def test_errors(status: int, kind: str, expected: type[anthropic.APIStatusError]) -> None:
    """A provider's error keeps its message and raises what an Anthropic client expects."""
    error = {"error": {"message": "what it was", "type": kind, "param": None, "code": None}}
    client, _ = connect(error, status)
    with pytest.raises(expected, match="what it was"):
        client.messages.create(model=MODEL, max_tokens=5, messages=HI)
