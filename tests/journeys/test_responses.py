"""OpenAI's Responses API by its own SDK, whoever the provider is and whatever happens to it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import openai
import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from llmitm.simulator import expected_text
from tests.support.calls import Watcher, one_call, watch
from tests.support.gateway import KEY, Gateway, Starter

# `plain` is OpenAI-compatible, but has no /v1/responses; `other` says something else.
APIS = {"openai": "openai", "anthropic": "anthropic", "ollama": "ollama", "plain": "openai"}
TRANSLATED = ("anthropic", "plain")
WAYS = [
    ("openai", "anthropic"),
    ("openai", "plain"),
    ("ollama", "anthropic"),
    ("anthropic", "openai"),
    ("anthropic", "ollama"),
    ("plain", "anthropic"),
]
BEFORE = ("503", "reset", "cut:after=0", "error-event:after=0")
AFTER = ("cut:after=5", "reset-mid:after=5", "error-event:after=5", "truncated:after=5",
         "no-finish")  # fmt: skip
RESILIENCE = {
    "retry": {"attempts": 3, "base": 0.01, "max": 0.05, "deadline": 20},
    "circuit_breaker": {"enabled": False},
}
QUESTION = "What is a gateway?"
MESSAGES: Any = [{"role": "user", "content": QUESTION}]
TOOL: Any = {
    "type": "function",
    "name": "weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
PIXEL = "data:image/png;base64,iVBORw0KGgo="
_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


class City(BaseModel):
    name: str


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    starter = Starter(tmp_path_factory.mktemp("gateway"))
    try:
        _, url = starter.simulator()
        _, elsewhere = starter.simulator(seed=7)
        providers = {name: provider(api, url) for name, api in APIS.items()}
        providers["plain"]["responses"] = False
        providers["other"] = provider("anthropic", elsewhere)
        policies = {"routes": {"routes": [*routes()]}, "resilience": RESILIENCE}
        yield starter.gateway({"providers": providers}, policies)
    finally:
        starter.close()


@pytest.fixture(scope="module")
def watcher(gateway: Gateway) -> Watcher:
    return watch(gateway)


@pytest.fixture
def client(gateway: Gateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0)


def provider(api: str, base: str) -> dict[str, Any]:
    return {"api": api, "base_url": f"{base}/v1" if api == "openai" else base, "api_key": "sk"}


def routes() -> Iterator[dict[str, Any]]:
    """A route for each provider, and for each fault of one that another makes good."""
    for name in APIS:
        yield route(name, (name, "sim"))
    for (first, second), fault in product(WAYS, (*BEFORE, *AFTER)):
        yield route(f"{first}>{second}>{fault}", (first, f"s@{fault}"), (second, "sim"))
    yield route("mixed", ("anthropic", "sim"), ("plain", "sim"), ("openai", "sim"))
    yield route("outage", ("openai", "s@503"), ("anthropic", "sim"))
    yield route("diverging", ("openai", "s@cut:after=5"), ("other", "sim"))
    yield {
        **route("alone", ("anthropic", "s@cut:after=5")),
        "resilience": {"mid_stream": "error"},
    }
    prefilled = route("prefilled", ("openai", "s@cut:after=5"), ("anthropic", "sim"))
    prefilled["targets"][1]["prefill"] = True
    yield prefilled


def route(name: str, *targets: tuple[str, str]) -> dict[str, Any]:
    return {"model": name, "targets": [{"provider": p, "model": m} for p, m in targets]}


def words() -> str:
    return expected_text(MESSAGES)


def streamed(client: openai.OpenAI, model: str) -> list[Any]:
    """The events of an answer, each of them valid and numbered."""
    events = list(client.responses.create(model=model, input=QUESTION, stream=True))
    for number, event in enumerate(events):
        _EVENT.validate_python(event.to_dict(mode="python"))
        assert event.sequence_number == number
    return events


@pytest.mark.parametrize("provider", APIS)
def test_text(client: openai.OpenAI, watcher: Watcher, provider: str) -> None:
    """The same answer whole and streamed, with the same counts, from every provider."""
    with one_call(watcher) as calls:
        whole = client.responses.create(model=provider, input=QUESTION)
    assert (calls[0].operation, calls[0].completion_tokens) == ("responses", 32)
    assert (whole.output_text, whole.status) == (words(), "completed")
    assert whole.usage is not None
    assert whole.usage.output_tokens == 32
    with client.responses.stream(model=provider, input=MESSAGES) as stream:
        events = [event.type for event in stream]
        answer = stream.get_final_response()
    assert events[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert events[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert answer.output_text == words()
    assert answer.usage == whole.usage
    raw = streamed(client, provider)
    assert "".join(e.delta for e in raw if e.type == "response.output_text.delta") == words()


@pytest.mark.parametrize("provider", APIS)
def test_a_tool_loop(client: openai.OpenAI, provider: str) -> None:
    """A function is called, streamed or not, and its result answered."""
    given: list[Any] = [*MESSAGES]
    answer = client.responses.create(model=provider, input=given, tools=[TOOL])
    (call,) = answer.output
    assert call.type == "function_call"
    assert call.name == "weather"
    with client.responses.stream(model=provider, input=given, tools=[TOOL]) as stream:
        (again,) = stream.get_final_response().output
    assert again.type == "function_call"
    assert again.arguments == call.arguments
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "Rain."}
    given += [call.to_dict(), output]
    answered = client.responses.create(model=provider, input=given, tools=[TOOL])
    assert answered.output_text


@pytest.mark.parametrize("provider", APIS)
def test_the_rest_of_a_request(client: openai.OpenAI, provider: str) -> None:
    """Instructions, pictures, a limit and a schema reach every provider."""
    picture = {"type": "input_image", "image_url": PIXEL, "detail": "auto"}
    shown: Any = [{"role": "user", "content": [{"type": "input_text", "text": QUESTION}, picture]}]
    told = client.responses.create(
        model=provider, instructions="Be brief.", input=shown, max_output_tokens=5
    )
    assert (told.status, told.instructions) == ("incomplete", "Be brief.")
    assert told.incomplete_details is not None
    assert told.incomplete_details.reason == "max_output_tokens"
    seen = expected_text(shown, system="Be brief.")
    assert told.output_text
    assert seen.startswith(told.output_text)
    parsed = client.responses.parse(model=provider, input="A city.", text_format=City)
    assert isinstance(parsed.output_parsed, City)


@pytest.mark.parametrize("provider", TRANSLATED)
def test_what_is_kept_at_openai(client: openai.OpenAI, provider: str) -> None:
    """What no other provider has is refused by its name."""
    for asked, param in (
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"background": True}, "background"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    ):
        with pytest.raises(openai.BadRequestError) as refused:
            client.responses.create(model=provider, input=QUESTION, **asked)  # type: ignore[call-overload]
        assert refused.value.param == param
    with pytest.raises(openai.BadRequestError, match="compact"):
        client.responses.compact(model=provider, input=QUESTION)


@pytest.mark.parametrize("stream", [False, True])
def test_what_only_one_target_can_be_asked(
    client: openai.OpenAI, watcher: Watcher, stream: bool
) -> None:
    """It is asked, whichever comes first; while it is down that is what the client hears of."""
    asked: Any = {"input": QUESTION, "previous_response_id": "resp_1", "stream": stream}
    with one_call(watcher) as calls:
        answer = client.responses.create(model="mixed", **asked)
        assert not stream or [*answer][-1].type == "response.completed"
    assert [attempt.target for attempt in calls[0].attempts] == ["openai/sim"]
    with pytest.raises(openai.InternalServerError) as fault:
        client.responses.create(model="outage", **asked)
    assert fault.value.status_code == 503


@pytest.mark.parametrize(("first", "second"), WAYS)
@pytest.mark.parametrize("fault", [*BEFORE, *AFTER])
def test_failover(
    client: openai.OpenAI, watcher: Watcher, first: str, second: str, fault: str
) -> None:
    """Another provider makes good what one breaks, before its first token and after."""
    with one_call(watcher) as calls:
        events = streamed(client, f"{first}>{second}>{fault}")
    asked = [attempt.target.partition("/")[0] for attempt in calls[0].attempts]
    assert (asked[0], asked[-1]) == (first, second)
    assert [event.type for event in events].count("response.created") == 1
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == words()
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == words()


@pytest.mark.parametrize(("first", "second"), WAYS)
@pytest.mark.parametrize("fault", ["503", "reset", "cut:after=5", "error-event:after=5"])
def test_failover_of_a_whole_answer(
    client: openai.OpenAI, watcher: Watcher, first: str, second: str, fault: str
) -> None:
    """The same for an answer that isn't streamed."""
    with one_call(watcher) as calls:
        answer = client.responses.create(model=f"{first}>{second}>{fault}", input=QUESTION)
    assert calls[0].target == f"{second}/sim"
    assert (answer.output_text, answer.status) == (words(), "completed")


def test_a_prefill(client: openai.OpenAI) -> None:
    """A target that continues a text does so, in the item that is open."""
    events = streamed(client, "prefilled")
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == words()
    assert len(events[-1].response.output) == 1


@pytest.mark.parametrize("model", ["alone", "diverging"])
def test_an_answer_that_cannot_go_on(client: openai.OpenAI, model: str) -> None:
    """It ends in the API's error event, and never looks whole."""
    events = streamed(client, model)
    assert events[-1].type == "error"
    assert events[-1].code == "stream_cut"
    assert not any(event.type == "response.completed" for event in events)
