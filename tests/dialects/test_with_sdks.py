"""What we write is read by the official SDKs as one stream of their own provider's."""

import json

import anthropic
import httpx
import httpx2
import ollama
import openai
import pytest

from llmitm.call import Usage
from llmitm.dialects import error_event, model_object, models_list, reader_for
from llmitm.dialects.resume import Continuation
from llmitm.dialects.sse import frame
from llmitm.errors import Cause, GatewayError

ERROR = GatewayError(Cause.STREAM_CUT, "the provider broke off")
ASK = [{"role": "user", "content": "Hi"}]


def openai_client(body, media_type="text/event-stream"):
    return openai.OpenAI(api_key="k", http_client=http2(body, media_type), max_retries=0)


def anthropic_client(body, media_type="text/event-stream"):
    return anthropic.Anthropic(api_key="k", http_client=http2(body, media_type), max_retries=0)


def http2(body, media_type):
    headers = {"content-type": media_type}
    answer = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, content=body))
    return httpx2.Client(transport=answer)


def ollama_client(body):
    answer = httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    return ollama.Client(host="http://ollama", transport=answer)


def resumed(dialect, operation, *begin):
    """A stream that broke off after `begin`, continued and closed."""
    continuation, reader = Continuation(dialect, operation), reader_for(dialect, operation)
    for event in reader.feed(b"".join(begin)):
        continuation.observe(event)
    rest = continuation.text("lo ") + continuation.text("wörld")
    return b"".join(begin) + rest + continuation.finish(None, Usage(5, 4), want_usage=True)


def event(value, name=None):
    return frame(json.dumps(value).encode(), name)


def chunk(**delta):
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
    return event(
        {
            "id": "c1",
            "object": "chat.completion.chunk",
            "created": 7,
            "model": "m",
            "choices": [choice],
            "usage": None,
        }
    )


CHAT = (chunk(role="assistant", content=""), chunk(content="Hel"))
TEXT = event(
    {
        "id": "c1",
        "object": "text_completion",
        "created": 7,
        "model": "m",
        "choices": [{"index": 0, "text": "Hel", "logprobs": None, "finish_reason": None}],
    }
)
MESSAGE = (
    event(
        {
            "type": "message_start",
            "message": {
                "id": "m1",
                "type": "message",
                "role": "assistant",
                "model": "m",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {"input_tokens": 5, "output_tokens": 1},
            },
        },
        "message_start",
    ),
    event(
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        "content_block_start",
    ),
    event({"type": "ping"}, "ping"),
    event(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
        "content_block_delta",
    ),
)


def test_openai_chat():
    """Chunks of one id, one role, one finish reason, and the usage at the end."""
    client = openai_client(resumed("openai", "chat", *CHAT))
    chunks = list(client.chat.completions.create(model="m", messages=ASK, stream=True))
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert {(chunk.id, chunk.model, chunk.created, chunk.object) for chunk in chunks} == {
        ("c1", "m", 7, "chat.completion.chunk")
    }
    assert "".join(choice.delta.content or "" for choice in choices) == "Hello wörld"
    assert [choice.delta.role for choice in choices if choice.delta.role] == ["assistant"]
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert chunks[-1].usage.total_tokens == 9


def test_openai_chat_accumulated():
    """The SDK's own accumulator makes one completion of it."""
    client = openai_client(resumed("openai", "chat", *CHAT))
    with client.chat.completions.stream(model="m", messages=ASK) as stream:
        completion = stream.get_final_completion()
    assert completion.choices[0].message.content == "Hello wörld"
    assert completion.choices[0].finish_reason == "stop"


def test_openai_completions():
    """Text completions, likewise."""
    client = openai_client(resumed("openai", "completions", TEXT))
    chunks = list(client.completions.create(model="m", prompt="Hi", stream=True))
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == "Hello wörld"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens == 4


def test_anthropic_messages():
    """The SDK's accumulator makes one message of it."""
    client = anthropic_client(resumed("anthropic", "messages", *MESSAGE))
    with client.messages.stream(model="m", max_tokens=9, messages=ASK) as stream:
        message = stream.get_final_message()
    assert [block.text for block in message.content] == ["Hello wörld"]
    assert (message.id, message.stop_reason, message.usage.output_tokens) == ("m1", "end_turn", 4)


def test_ollama_chat():
    """Lines of chat, the last with its counts."""
    begin = b'{"model":"m","message":{"role":"assistant","content":"Hel"},"done":false}\n'
    client = ollama_client(resumed("ollama", "chat", begin))
    parts = list(client.chat(model="m", messages=ASK, stream=True))
    assert "".join(part.message.content for part in parts) == "Hello wörld"
    assert [part.done for part in parts] == [False, False, False, True]
    assert (parts[-1].done_reason, parts[-1].prompt_eval_count, parts[-1].eval_count) == (
        "stop",
        5,
        4,
    )


def test_ollama_generate():
    """Lines of generate, likewise."""
    client = ollama_client(
        resumed("ollama", "generate", b'{"model":"m","response":"Hel","done":false}\n')
    )
    parts = list(client.generate(model="m", prompt="Hi", stream=True))
    assert "".join(part.response for part in parts) == "Hello wörld"
    assert parts[-1].done


def test_an_error_raises_in_openai():
    """An error in mid-stream is an exception of the SDK, after what came before it."""
    client = openai_client(b"".join(CHAT) + error_event(ERROR, "openai", "chat"))
    stream = client.chat.completions.create(model="m", messages=ASK, stream=True)
    assert [chunk.choices[0].delta.content for chunk in (next(stream), next(stream))] == ["", "Hel"]
    with pytest.raises(openai.APIError, match="the provider broke off") as caught:
        next(stream)
    assert caught.value.code == "stream_cut"


def test_an_error_is_an_event_of_responses():
    """The Responses API tells of errors in an event of its own."""
    client = openai_client(error_event(ERROR, "openai", "responses"))
    (told,) = client.responses.create(model="m", input="Hi", stream=True)
    assert (told.type, told.code, told.message) == ("error", "stream_cut", "the provider broke off")


def test_an_error_raises_in_anthropic():
    """An error in mid-stream is an exception of the SDK."""
    client = anthropic_client(b"".join(MESSAGE) + error_event(ERROR, "anthropic", "messages", "r1"))
    stream = client.messages.create(model="m", max_tokens=9, messages=ASK, stream=True)
    with pytest.raises(anthropic.APIStatusError, match="the provider broke off"):
        list(stream)


def test_an_error_raises_in_ollama():
    """An error in mid-stream is an exception of the SDK."""
    client = ollama_client(error_event(ERROR, "ollama", "chat"))
    with pytest.raises(ollama.ResponseError, match="the provider broke off"):
        list(client.chat(model="m", messages=ASK, stream=True))


def test_openai_models():
    """The SDK lists models, and retrieves one."""
    client = openai_client(models_list("openai", "models", ["a", "b"]), "application/json")
    assert [model.id for model in client.models.list()] == ["a", "b"]
    client = openai_client(model_object("openai", "models", "a"), "application/json")
    assert client.models.retrieve("a").id == "a"


def test_anthropic_models():
    """The SDK lists models, and retrieves one."""
    client = anthropic_client(models_list("anthropic", "models", ["a", "b"]), "application/json")
    assert [model.display_name for model in client.models.list()] == ["a", "b"]
    client = anthropic_client(model_object("anthropic", "models", "a"), "application/json")
    assert client.models.retrieve("a").lifecycle == "active"


def test_ollama_models():
    """The SDK lists models and running ones, and shows one."""
    models = ollama_client(models_list("ollama", "models", ["a"])).list().models
    assert [model.model for model in models] == ["a"]
    running = ollama_client(models_list("ollama", "ps", ["a"])).ps().models
    assert [model.name for model in running] == ["a"]
    shown = ollama_client(model_object("ollama", "show", "a")).show("a")
    assert shown.capabilities == ["completion"]
