"""Two translations in a row, and calls that can't be told at all."""

from __future__ import annotations

import pytest

from llmitm.dialects.completions_to_chat import CompletionsToChat
from llmitm.dialects.openai_to_anthropic import ChatToMessages
from llmitm.dialects.translation import Chain, Refused
from llmitm.errors import Cause, GatewayError
from tests.dialects.answers import MESSAGE, plain
from tests.dialects.streams import anthropic_events, payloads, sse

PLAIN = plain(MESSAGE, "Once upon a time", "end_turn")
BODY = {"model": "m", "prompt": "Tell me", "stream_options": {"include_usage": True}}


def test_chain_passes_requests_in_and_answers_out() -> None:
    """The outer pair is the client's, the inner one the provider's."""
    chain = Chain(CompletionsToChat(), ChatToMessages())
    path, request = chain.request(BODY)
    assert (path, chain.path) == ("/v1/messages", "/v1/messages")
    assert request["messages"] == [{"role": "user", "content": "Tell me"}]
    answer = chain.response(PLAIN, "m")
    assert answer["object"] == "text_completion"
    assert answer["choices"][0]["text"] == "Once upon a time"
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}
    assert chain.error(400, error)["error"]["message"] == "no"


def test_chain_streams_as_soon_as_there_is_something_to_say() -> None:
    """A token passes both translations at once; the end comes once and last."""
    chain = Chain(CompletionsToChat(), ChatToMessages())
    chain.request(BODY)
    stream = chain.stream("m")
    said = []
    for event in anthropic_events(PLAIN, 4):
        out = list(payloads(stream.feed(sse([event], named=True))))
        said += [p["choices"][0]["text"] for p in out if p != "[DONE]" and p["choices"]]
        if event["type"] == "content_block_delta":
            assert said[-1] == event["delta"]["text"]
    assert "".join(said) == "Once upon a time"
    assert stream.done
    assert stream.end() == b""


def test_end_of_the_inner_stream_reaches_the_client() -> None:
    """What the inner translation says at the end goes through the outer one."""
    chain = Chain(CompletionsToChat(), ChatToMessages())
    stream = chain.stream("m")
    stream.feed(sse(anthropic_events(PLAIN)[:-1], named=True))
    assert not stream.done
    assert stream.end().endswith(b"data: [DONE]\n\n")
    assert stream.done


def test_refused_call_says_why() -> None:
    """There is nothing to send, and nothing to translate back."""
    refused = Refused("openai", "no such thing")
    for ask in (
        lambda: refused.request({}),
        lambda: refused.response({}, "m"),
        lambda: refused.stream("m"),
    ):
        with pytest.raises(GatewayError, match="no such thing") as fault:
            ask()
        assert fault.value.cause is Cause.INVALID_REQUEST
    assert refused.error(500, {"error": {"message": "m"}})["error"]["message"] == "m"
