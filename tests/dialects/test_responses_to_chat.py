"""OpenAI's SDK gets its Responses API from providers that have other APIs only."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from llmitm.dialects.translate import PAIRS
from tests.dialects.answers import COMPLETION, MESSAGE, plain
from tests.dialects.response_events import checked, response_of
from tests.dialects.response_events import plain as without_ids
from tests.dialects.sdk import Gateway, Provider, openai_client
from tests.dialects.streams import PLACES, Json, anthropic_events, cut, messages, run, sse

ANSWERS = {"openai": COMPLETION, "anthropic": MESSAGE}
MODEL = "claude-sonnet-4-6"
TOOL: Any = {
    "type": "function",
    "name": "weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}
each_provider = pytest.mark.parametrize("api", ["openai", "anthropic"])


def connect(api: str, answer: Json, status: int = 200) -> tuple[openai.OpenAI, Provider]:
    provider = Provider(api, answer, status)
    return openai_client(Gateway("openai", PAIRS["openai", "responses", api], provider)), provider


@each_provider
def test_whole_answer(api: str) -> None:
    """`create` gives text, thoughts, calls and usage."""
    client, provider = connect(api, ANSWERS[api])
    answer = client.responses.create(model=MODEL, input="hi", tools=[TOOL], max_output_tokens=99)
    checked(answer.to_dict(mode="python"))
    assert answer.output_text == "Let me look: ☔️"
    assert [item.type for item in answer.output] == [
        "reasoning",
        "message",
        "function_call",
        "function_call",
    ]
    assert answer.model == "asked-model"
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (17, 25)
    assert answer.usage.input_tokens_details.cached_tokens == 4
    path, request = provider.asked[0]
    limit = {"openai": "max_completion_tokens", "anthropic": "max_tokens"}[api]
    assert path == {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}[api]
    assert request[limit] == 99


@each_provider
def test_stream(api: str) -> None:
    """`stream` accumulates to the same answer."""
    client, provider = connect(api, ANSWERS[api])
    with client.responses.stream(model=MODEL, input="hi", tools=[TOOL]) as stream:
        events = list(stream)
        answer = stream.get_final_response()
    assert answer.output_text == "Let me look: ☔️"
    calls = [item for item in answer.output if item.type == "function_call"]
    assert [call.name for call in calls] == ["weather", "now"]
    assert [call.arguments for call in calls] == ['{"city": "Köln"}', "{}"]
    assert answer.usage is not None
    assert answer.usage.total_tokens == 42
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert provider.asked[0][1]["stream"] is True


def test_answer_goes_back_to_claude_as_it_came() -> None:
    """A tool loop as the SDK's users do it returns signed thinking, calls and results."""
    client, provider = connect("anthropic", MESSAGE)
    given: list[Any] = [{"role": "user", "content": "hi"}]
    answer = client.responses.create(model=MODEL, input=given)
    given += [item.to_dict() for item in answer.output]
    given += [
        {"type": "function_call_output", "call_id": item.call_id, "output": "ok"}
        for item in answer.output
        if item.type == "function_call"
    ]
    with client.responses.stream(model=MODEL, input=given) as stream:
        again = stream.get_final_response()
    _, assistant, user = provider.asked[1][1]["messages"]
    assert assistant["content"] == MESSAGE["content"]
    assert user["content"] == [
        {"type": "tool_result", "tool_use_id": call_id, "content": "ok"}
        for call_id in ("toolu_1", "toolu_2")
    ]
    first, second = answer.output[0], again.output[0]
    assert first.type == second.type == "reasoning"
    assert first.encrypted_content == second.encrypted_content


def test_a_request_in_full() -> None:
    """Instructions, a picture, a choice of tool and effort all reach an Anthropic model."""
    client, provider = connect("anthropic", plain(MESSAGE, "a", "end_turn"))
    client.responses.create(
        model=MODEL,
        instructions="Be brief.",
        input=[
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What is it?"},
                    {
                        "type": "input_image",
                        "image_url": "data:image/png;base64,iVBOR",
                        "detail": "auto",
                    },
                ],
            }
        ],
        tools=[TOOL],
        tool_choice={"type": "function", "name": "weather"},
        parallel_tool_calls=False,
        reasoning={"effort": "low"},
        max_output_tokens=50,
        temperature=0.3,
        store=False,
    )
    assert provider.asked[0][1] == {
        "model": MODEL,
        "max_tokens": 50,
        "system": "Be brief.",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is it?"},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR"},
                    },
                ],
            }
        ],
        "tools": [{"name": "weather", "input_schema": TOOL["parameters"]}],
        "tool_choice": {"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
        "output_config": {"effort": "low"},
        "temperature": 0.3,
    }


@settings(deadline=None)
@given(messages(), st.integers(1, 5), PLACES)
def test_a_stream_of_claudes_says_what_the_whole_answer_says(
    message: Json, size: int, places: list[int]
) -> None:
    """Through two translations: every event in its place, the same items, status and counts."""
    pair = PAIRS["openai", "responses", "anthropic"]()
    pair.request({"model": MODEL, "input": "hi", "stream": True})
    data = sse(anthropic_events(message, size), named=True)
    streamed = response_of(run(pair.stream("m"), cut(data, places)))["done"]
    whole = checked(pair.response(message, "m"))
    for answer in (streamed, whole):
        for item in answer["output"]:
            if item["type"] == "function_call":
                item["arguments"] = json.loads(item["arguments"])
    assert without_ids(streamed) == without_ids(whole)


@settings(deadline=None)
@given(messages(), PLACES, st.integers(0, 10_000))
def test_a_cut_stream_of_claudes_has_no_end(message: Json, places: list[int], at: int) -> None:
    """What breaks off at Anthropic is no response at OpenAI's client."""
    pair = PAIRS["openai", "responses", "anthropic"]()
    pair.request({"model": MODEL, "input": "hi", "stream": True})
    data = sse(anthropic_events(message)[:-2], named=True)
    seen = response_of(run(pair.stream("m"), cut(data[: at % (len(data) + 1)], places)))
    assert seen["done"] is None


class Answer(BaseModel):
    n: int


@each_provider
def test_structured_output(api: str) -> None:
    """`parse` asks for its schema and reads the answer, whole and streamed."""
    reason = {"openai": "stop", "anthropic": "end_turn"}[api]
    client, provider = connect(api, plain(ANSWERS[api], '{"n": 3}', reason))
    parsed = client.responses.parse(model=MODEL, input="hi", text_format=Answer)
    assert parsed.output_parsed == Answer(n=3)
    with client.responses.stream(model=MODEL, input="hi", text_format=Answer) as stream:
        assert stream.get_final_response().output_parsed == Answer(n=3)
    request = provider.asked[0][1]
    held = (
        request.get("response_format", {}).get("json_schema") or request["output_config"]["format"]
    )
    assert held["schema"]["required"] == ["n"]


@each_provider
def test_incomplete(api: str) -> None:
    """An answer that its limit cut short says so, whole and streamed."""
    reason = {"openai": "length", "anthropic": "max_tokens"}[api]
    client, _ = connect(api, plain(ANSWERS[api], "Once upon", reason))
    whole = client.responses.create(model=MODEL, input="hi", max_output_tokens=16)
    *_, last = client.responses.create(model=MODEL, input="hi", max_output_tokens=16, stream=True)
    assert last.type == "response.incomplete"
    for answer in (whole, last.response):
        assert (answer.status, answer.output_text) == ("incomplete", "Once upon")
        assert answer.incomplete_details is not None
        assert answer.incomplete_details.reason == "max_output_tokens"


def test_refusal_of_a_parameter() -> None:
    """What can't be carried is a BadRequestError that names the parameter."""
    client, provider = connect("anthropic", MESSAGE)
    for param, asked in (
        ("previous_response_id", {"previous_response_id": "resp_1"}),
        ("tools[0].type", {"tools": [{"type": "web_search"}]}),
        ("logprobs", {"top_logprobs": 3}),
    ):
        with pytest.raises(openai.BadRequestError) as fault:
            client.responses.create(model=MODEL, input="hi", **asked)  # type: ignore[call-overload]
        assert fault.value.param == param
    assert not provider.asked


@each_provider
@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (400, "invalid_request_error", openai.BadRequestError),
        (429, "rate_limit_error", openai.RateLimitError),
        (529, "overloaded_error", openai.InternalServerError),
    ],
)
def test_errors_of_the_provider(
    api: str, status: int, kind: str, expected: type[openai.APIStatusError]
) -> None:
    """The provider's error has OpenAI's form, and its message."""
    client, _ = connect(api, {"type": "error", "error": {"type": kind, "message": "No."}}, status)
    with pytest.raises(expected, match="No"):
        client.responses.create(model=MODEL, input="hi")
