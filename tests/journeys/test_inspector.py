"""Calls of a whole gateway in the inspection UI, by the requests that its page makes."""

from __future__ import annotations

import gc
import json
import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from io import BytesIO
from typing import Any

import psutil
import pytest
from mitmproxy.io import FlowReader
from websockets.sync.client import connect

from llmitm.call import call_of
from tests.support.gateway import KEY, Gateway, Starter
from tests.support.inspector import FEW_KEY, PATHS, Inspecting, ask, inspected
from tests.support.wire import DONE, STREAM_HEAD, Upstream, finish, token

WRONG_KEY = "sk-wrong-0123456789"


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", PATHS)
def test_calls_and_their_attempts(starter: Starter, dialect: str, stream: bool) -> None:
    """A call and its two attempts are flows; the LLM view tells its conversation and its story."""
    gateway, simulator = inspected(starter)
    reply = ask(gateway, model="saved", dialect=dialect, stream=stream)
    inspecting = Inspecting(gateway)
    call, first, second = inspecting.ended()
    assert call["marked"] == "🔀"
    assert call["comment"].startswith("saved · sim/steady · ")
    assert call["comment"].endswith("200 after 2 attempts")
    assert "tokens · $0.0" in call["comment"]
    assert "↳ attempt 1 · sim/x@503 · 503" in first["comment"]
    assert inspecting.body(call, "response") == reply.content
    assert inspecting.body(second, "request") == simulator.requests[-1].body
    asked = inspecting.text(call, "request")
    assert "── user" in asked and "What is a gateway?" in asked
    answered = inspecting.text(call, "response", "LLM")
    assert "── assistant" in answered
    for line in (
        "usage ",
        "cost ",
        "timing ",
        "route       saved, priority: sim/x@503, sim/steady",
    ):
        assert line in answered
    assert "1. sim/x@503: 503 (server_error) after" in answered
    assert ("as it came" in answered) == stream
    assert "── assistant" in inspecting.text(second, "response", "LLM")


def test_a_stream_is_seen_while_it_runs(starter: Starter, pool: ThreadPoolExecutor) -> None:
    """It appears at its start, and what came so far grows."""
    with Upstream() as upstream:
        gateway, _ = inspected(starter, provider={"base_url": upstream.url})
        inspecting = Inspecting(gateway)
        call = pool.submit(ask, gateway, stream=True)
        peer, _ = upstream.request()
        peer.send(STREAM_HEAD)
        peer.send_chunk(token("one"))
        (running,) = inspecting.wait(lambda f: "streaming" in f["comment"])
        size = running["response"]["contentLength"]
        peer.send_chunk(token(" two"))
        (grown,) = inspecting.wait(
            lambda f: "streaming" in f["comment"] and f["response"]["contentLength"] > size
        )
        assert "── assistant" in inspecting.text(grown, "response")
        for data in (finish(), DONE, b""):
            peer.send_chunk(data)
        call.result()
        (ended,) = inspecting.wait(lambda f: f["comment"].endswith("200 ok"))
    assert ended["id"] == running["id"]


MARKED = [
    ("❌", {"key": WRONG_KEY}, "401 authentication"),
    ("❌", {"model": "x@400"}, "400 upstream_refused"),
    ("💰", {"text": "very " * 3000}, "200 ok"),
]


@pytest.mark.parametrize(("mark", "how", "outcome"), MARKED)
def test_marks(starter: Starter, mark: str, how: dict[str, Any], outcome: str) -> None:
    """Failed, refused and expensive calls are marked, and say why."""
    gateway, _ = inspected(starter, expensive_usd=0.005)
    ask(gateway, **how)
    (call,) = Inspecting(gateway).calls()
    assert call["marked"] == mark
    assert call["comment"].endswith(outcome)


def test_limited_calls_are_marked(starter: Starter) -> None:
    """A 429 by policy has a mark of its own."""
    gateway, _ = inspected(starter)
    assert [ask(gateway, key=FEW_KEY).status_code for _ in range(2)] == [200, 429]
    _, limited = Inspecting(gateway).calls()
    assert limited["marked"] == "⛔"
    assert limited["comment"].endswith("429 rate_limited")


FILTERS = [
    ('~meta "key: dev"', 3),
    ('~meta "key: few"', 2),
    ('~meta "model: saved"', 3),
    ('~meta "target: sim/steady"', 2),
    ('~meta "kind: call"', 2),
    ('~meta "user: ava" & ~meta "attempt: 1"', 1),
    ('~marker "twisted"', 1),
    ("~b gateway", 5),
]


def test_filters(starter: Starter) -> None:
    """`~meta` finds calls and attempts by key, user, model and target."""
    gateway, _ = inspected(starter)
    ask(gateway, model="saved")
    ask(gateway, key=FEW_KEY)
    inspecting = Inspecting(gateway)
    for expression, count in FILTERS:
        dump = inspecting.get("/flows/dump", params={"filter": expression}).content
        assert len(list(FlowReader(BytesIO(dump)).stream())) == count, expression


def test_off_means_off(starter: Starter) -> None:
    """Without `listen.inspector` the addon is not loaded, and calls are not watched."""
    _, url = starter.simulator()
    gateway = starter.gateway(provider_url=url)
    assert gateway.master.addons.get("inspector") is None
    seen: queue.SimpleQueue[Any] = queue.SimpleQueue()

    class Look:
        def call_end(self, flow: Any) -> None:
            call = call_of(flow)
            seen.put((call.watch, call.attempts[0].watch))

    gateway.call(lambda: gateway.master.hooks.rebuild([*gateway.master.addons.chain, Look()]))
    ask(gateway)
    assert seen.get(timeout=60) == (None, None)


def test_a_taken_port_is_an_error_at_start(starter: Starter) -> None:
    """Nothing serves with half of its listeners."""
    gateway, _ = inspected(starter)
    host, port = gateway.master.runtime.inspector
    settings = {"listen": {"gateway": "127.0.0.1:0", "inspector": f"{host}:{port}"}}
    with pytest.raises(Exception, match=f"can't listen on {host}:{port}"):
        starter.gateway({**settings, "providers": {"sim": {"api": "simulator"}}})


def test_websockets(starter: Starter) -> None:
    """The messages of a session are kept, and who they are from."""
    gateway, _ = inspected(starter)
    url = gateway.url.replace("http", "ws") + "/v1/realtime?model=gpt-realtime"
    with connect(url, additional_headers={"authorization": f"Bearer {KEY}"}) as session:
        session.recv()
        session.send(json.dumps({"type": "session.update", "session": {}}))
        session.recv()
    inspecting = Inspecting(gateway)
    (call, *_) = inspecting.wait(lambda f: f.get("websocket") and f["websocket"]["messages_meta"])
    assert call["websocket"]["messages_meta"]["count"] >= 3
    got = inspecting.get(f"/flows/{call['id']}/messages/content/auto").json()
    assert {message["from_client"] for message in got} == {True, False}


def many(gateway: Gateway, count: int) -> None:
    """Make `count` calls over one connection."""
    messages = [{"role": "user", "content": "x" * 2000}]
    body = json.dumps({"model": "gpt-4o", "max_tokens": 5, "messages": messages})
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    host, port = gateway.master.address
    connection = HTTPConnection(host, port)
    for _ in range(count):
        connection.request("POST", "/v1/chat/completions", body, headers)
        reply = connection.getresponse()
        assert reply.status == 200
        reply.read()
    connection.close()


def test_ten_thousand_calls_in_bounded_memory(starter: Starter, pool: ThreadPoolExecutor) -> None:
    """The last `keep` calls are there, and memory does not grow with the others."""
    gateway, _ = inspected(starter, {"keep": 10}, keep=200)
    process = psutil.Process()
    for share in pool.map(many, [gateway] * 4, [500] * 4):
        assert share is None
    inspecting = Inspecting(gateway)
    inspecting.flows()
    gc.collect()
    before = process.memory_info().rss
    for share in pool.map(many, [gateway] * 4, [2000] * 4):
        assert share is None
    assert len(inspecting.flows()) == 400
    book = gateway.master.addons.get("inspector").parts.book
    assert len(book.entries) == 200
    gc.collect()
    assert process.memory_info().rss - before < 48 << 20
