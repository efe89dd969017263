"""Usage that no provider reported is counted by the gateway, and marked."""

from __future__ import annotations

import httpx
import pytest

from tests.support.calls import watch
from tests.support.gateway import KEY, Starter
from tests.support.prompt import seconds_until
from tests.support.wire import (
    DONE,
    STREAM_HEAD,
    Upstream,
    chat,
    completion,
    connect,
    finish,
    reply,
    request,
    token,
)

AUTH = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


def test_whole_answer_without_usage(starter: Starter, upstream: Upstream) -> None:
    """An answer without usage is counted from its text, and so is its prompt."""
    with upstream:
        gateway = starter.gateway(provider_url=upstream.url)
        watcher = watch(gateway)
        with connect(gateway.url) as client:
            client.send(request("POST", "/v1/chat/completions", chat(), AUTH))
            peer, _ = upstream.request()
            peer.send(reply(200, completion("hello world")))
            assert client.message().status == 200
        record = watcher.wait()[0]
    assert record.estimated
    assert record.completion_tokens == 2
    assert record.prompt_tokens > 0


def test_stream_without_usage(starter: Starter, upstream: Upstream) -> None:
    """A stream that ends without usage is counted from what was delivered."""
    with upstream:
        gateway = starter.gateway(provider_url=upstream.url)
        watcher = watch(gateway)
        with connect(gateway.url) as client:
            client.send(request("POST", "/v1/chat/completions", chat(stream=True), AUTH))
            peer, asked = upstream.request()
            assert asked.json["stream_options"] == {"include_usage": True}
            peer.send(STREAM_HEAD)
            for data in (token("hello"), token(" world"), finish(), DONE):
                peer.send_chunk(data)
            peer.send_chunk(b"")
            client.message()
        record = watcher.wait()[0]
    assert record.estimated
    assert record.completion_tokens == 2


def test_client_that_leaves_is_billed_for_what_it_got(starter: Starter, upstream: Upstream) -> None:
    """A stream that its client leaves is counted up to there, and the upstream is let go."""
    with upstream:
        gateway = starter.gateway(provider_url=upstream.url)
        watcher = watch(gateway)
        with connect(gateway.url) as client:
            client.send(request("POST", "/v1/chat/completions", chat(stream=True), AUTH))
            peer, _ = upstream.request()
            peer.send(STREAM_HEAD)
            peer.send_chunk(token("hello"))
            peer.send_chunk(token(" world"))
            client.until(b"world")
        assert peer.closed()
        record = watcher.wait()[0]
    assert record.error == "client_closed"
    assert record.status == 200
    assert record.estimated
    assert record.completion_tokens == 2
    seconds_until(lambda: gateway.call(lambda: gateway.master.lifecycle.in_flight) == 0)


def test_no_usage_where_nothing_was_made(starter: Starter) -> None:
    """A call that was refused has neither tokens nor cost, and nothing is estimated."""
    _, url = starter.simulator()
    gateway = starter.gateway(provider_url=url)
    watcher = watch(gateway)
    httpx.post(f"{gateway.url}/v1/chat/completions", content=chat("m@400"), headers=AUTH)
    record = watcher.wait()[0]
    assert (record.prompt_tokens, record.completion_tokens, record.estimated) == (0, 0, False)
    assert record.cost_usd is None
