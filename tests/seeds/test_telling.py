from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

import pytest
from mitmproxy import http

from llmitm.call import Attempt, Target, Usage
from llmitm.errors import Cause, GatewayError, render
from llmitm.seeds import agent, neurogate, nexus, service
from llmitm.seeds.endpoint import Endpoint
from llmitm.seeds.stream import TextStream
from llmitm.seeds.telling import tell_answer, tell_fault, tell_stream
from tests.seeds.flows import flow_of

COMPLETION = json.dumps({"choices": [{"message": {"content": "hello"}}]}).encode()


def response(body: bytes, status: int = 200) -> http.Response:
    return http.Response.make(status, body, {"content-type": "application/json; charset=utf-8"})


def told(endpoint: Endpoint) -> Any:
    _, call = flow_of("/prompt", {})
    call.attempts.append(Attempt(Target("worker-1"), 1, "llama3.2"))
    call.usage = Usage(prompt_tokens=12, completion_tokens=42)
    call.cost_usd = Decimal("0.00007")
    call.started = time.monotonic() - 0.5
    answer = response(COMPLETION)
    tell_answer(answer, call, endpoint)
    assert answer.headers["content-type"] == "application/json"
    return json.loads(answer.content or b"")


def test_answers() -> None:
    """The answer is told with what the call is known to have used and cost."""
    assert told(agent.GENERATE) == {"response": "hello"}
    answer = told(neurogate.PROMPT)
    assert answer["latency_ms"] >= 500
    del answer["latency_ms"]
    assert answer == {
        "request_id": "req_1",
        "response": "hello",
        "model": "llama3.2",
        "tokens": 42,
        "worker_id": "worker-1",
    }


def test_cost_is_a_number() -> None:
    """A cost is a number, however small it is."""
    assert told(nexus.GENERATE)["usage"]["cost_usd"] == 0.00007


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        (service.GENERATE, {"detail": "Slow down.", "code": "rate_limited"}),
        (agent.GENERATE, {"error": "Slow down.", "code": "rate_limited"}),
        (None, {"error": "Slow down.", "code": "rate_limited"}),
    ],
)
def test_faults(endpoint: Endpoint | None, expected: Any) -> None:
    """An error is told in the endpoint's shape; its status and headers stay."""
    _, call = flow_of("/generate", {})
    error = GatewayError(Cause.RATE_LIMITED, "Slow down.", retry_after=2)
    status, headers, body = render(error, "openai")
    answer = http.Response.make(status, body, headers)
    tell_fault(answer, call, error, endpoint)
    assert json.loads(answer.content or b"") == {**expected, "request_id": "req_1"}
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")


def test_a_providers_refusal() -> None:
    """What a provider refused is said in its own words, as they stand in the reply."""
    _, call = flow_of("/generate", {})
    answer = response(b'{"error":{"message":"The prompt is too long."}}', 400)
    tell_fault(answer, call, GatewayError(Cause.UPSTREAM_REFUSED, "raw"), service.GENERATE)
    assert json.loads(answer.content or b"")["detail"] == "The prompt is too long."


def test_a_stream_that_came_at_once() -> None:
    """An answer that the provider did not stream is told as a stream that is over."""
    answer = response(COMPLETION)
    tell_stream(answer, TextStream(False, lambda message: {"error": message}))
    assert (answer.content, answer.headers["content-type"]) == (
        b"hello",
        "text/plain; charset=utf-8",
    )
