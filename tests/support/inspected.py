"""Flows and calls as the gateway makes them, without a gateway."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from mitmproxy import connection, http

from llmitm.call import Attempt, Call, CallRecord, Principal, Target, Usage
from llmitm.config.schema import Inspector
from llmitm.engine.flows import attach_call
from llmitm.inspector.book import Book
from llmitm.inspector.hold import Holds

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "What is a gateway?"}]}
ANSWER = {
    "choices": [{"message": {"role": "assistant", "content": "A door."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 3},
}
SECRET = "sk-provider-0123456789"


class KeyPolicy:
    digest = "d" * 64


def call_flow(
    body: Any = CHAT, path: str = "/v1/chat/completions", headers: dict[str, str] | None = None
) -> tuple[http.HTTPFlow, Call]:
    """A flow whose client is known, with its call, just before the `request` hook."""
    client = connection.Client(peername=("10.0.0.9", 5), sockname=("127.0.0.1", 4000))
    flow = http.HTTPFlow(client, connection.Server(address=None), live=True)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    url = f"http://127.0.0.1:4000{path}"
    flow.request = http.Request.make(
        "POST", url, content, {"content-type": "application/json", **(headers or {})}
    )
    call = attach_call(flow, flow.request.headers)
    call.principal = Principal("dev", "ava", "research", KeyPolicy())
    return flow, call


def add_attempt(
    book: Book,
    flow: http.HTTPFlow,
    call: Call,
    answer: bytes | None = None,
    status: int | None = 200,
    error: str | None = None,
) -> Attempt:
    """An attempt that went its way: sent, answered or failed."""
    number = len(call.attempts) + 1
    attempt = Attempt(
        Target(f"p{number}", "m"),
        number,
        "m",
        url=f"https://p{number}.example/v1/chat/completions",
        headers={"authorization": f"Bearer {SECRET}", "content-type": "application/json"},
        body=flow.request.raw_content,
        started=call.started,
    )
    book.attempt(flow, attempt)
    call.attempts.append(attempt)
    if status is not None:
        attempt.status = status
        if attempt.watch is not None:
            attempt.watch.begin(status, [(b"content-type", b"application/json")])
    if answer is not None and attempt.watch is not None:
        attempt.watch.data(answer)
    attempt.ended, attempt.error = call.started + 0.02, error
    return attempt


def end(flow: http.HTTPFlow, call: Call, body: bytes = b"", status: int = 200) -> CallRecord:
    """The call is over."""
    flow.response = http.Response.make(status, body, {"content-type": "application/json"})
    call.status, call.ended = status, call.started + 0.1
    call.model, call.route = "gpt-4o", "gpt-*"
    call.usage, call.cost_usd = Usage(5, 3), Decimal("0.0012")
    call.record = call.freeze()
    return call.record


def book(**settings: Any) -> tuple[Book, Holds]:
    config = Inspector.model_validate(settings)
    holds = Holds(config)
    holds.set_filter(config.hold)
    return Book(config, lambda _: {"strategy": "priority"}, holds.decide), holds
