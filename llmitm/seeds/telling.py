"""What came of a call, in the words of the endpoint that was asked."""

from __future__ import annotations

import time

import msgspec
from mitmproxy import http

from llmitm import dialects
from llmitm.call import Call, Target, Usage
from llmitm.dialects.carry import decode
from llmitm.errors import GatewayError
from llmitm.policy.outcome import Outcome
from llmitm.seeds.asking import text_of
from llmitm.seeds.endpoint import Answered, Endpoint, Fault, Json, plain_fault
from llmitm.seeds.stream import TextStream

_JSON = "application/json"
_encode = msgspec.json.Encoder(decimal_format="number").encode


def tell_answer(response: http.Response, call: Call, endpoint: Endpoint) -> None:
    """Put the endpoint's answer in the place of a whole chat completion."""
    answered = _answered(call, text_of(decode(response.raw_content or b"{}")))
    response.headers["content-type"] = _JSON
    response.raw_content = _encode(endpoint.answer(answered))


def tell_stream(response: http.Response, stream: TextStream) -> None:
    """Put the end of a stream in the place of a chat completion that the provider sent whole."""
    response.headers["content-type"] = stream.media_type
    response.raw_content = stream.whole(text_of(decode(response.raw_content or b"{}")))


def tell_fault(
    response: http.Response, call: Call, error: GatewayError, endpoint: Endpoint | None
) -> None:
    """Put the endpoint's error in the place of OpenAI's."""
    # A provider's own refusal says in its body, rid of our credential, what the error can't.
    said = dialects.error_message("openai", response.raw_content or b"")[0]
    response.headers["content-type"] = _JSON
    response.raw_content = _encode(fault_json(call, error, said or error.message, endpoint))


def fault_json(call: Call, error: GatewayError, message: str, endpoint: Endpoint | None) -> Json:
    """An error in the endpoint's shape."""
    shape = endpoint.fault if endpoint is not None else plain_fault
    code = error.code or error.cause.value
    last = call.attempts[-1].outcome if call.attempts else None
    unreachable = last is not None and last.category is Outcome.NETWORK_ERROR
    return shape(Fault(error.cause, code, message, call.request_id, unreachable))


def _answered(call: Call, text: str) -> Answered:
    """What an endpoint may tell of the answer; the call is settled."""
    by = _author(call)
    return Answered(
        text=text,
        model=by.model,
        provider=by.provider,
        usage=call.usage or Usage(),
        cost_usd=call.cost_usd,
        request_id=call.request_id,
        ms=int((time.monotonic() - call.started) * 1000),
    )


def _author(call: Call) -> Target:
    """Who wrote the answer, now or once."""
    if call.from_cache is not None:
        return call.from_cache.by
    last = call.attempts[-1]
    return Target(last.target.provider, last.model)
