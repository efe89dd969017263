"""Calls of a whole gateway in the inspection UI, by the requests that its page makes."""

from __future__ import annotations

import json
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from typing import Any

import httpx
import psutil
import pytest
from mitmproxy.io import FlowReader

from llmitm.call import call_of
from llmitm.simulator.server import Simulator
from tests.support.gateway import KEY, Gateway, Starter
from tests.support.inspector import Inspecting

PROVIDER_KEY = "sk-provider-canary-4711"
HEADER_KEY = "sk-header-canary-4712"
WRONG_KEY = "sk-wrong-canary-4713"
ADMIN_TOKEN = "admin-canary-4714"
CANARIES = (KEY, PROVIDER_KEY, HEADER_KEY, WRONG_KEY, ADMIN_TOKEN)
POLICIES: dict[str, Any] = {
    "keys": {
        "users": [{"id": "ava"}],
        "keys": [
            {"id": "dev", "key": KEY, "user": "ava"},
            {"id": "few", "key": "sk-few-0123456789", "limits": {"requests_per_minute": 1}},
        ],
    },
    "routes": {
        "routes": [
            {
                "model": "saved",
                "targets": [
                    {"provider": "sim", "model": "x@503"},
                    {"provider": "sim", "model": "steady"},
                ],
            },
            {"model": "refused", "targets": [{"provider": "strict", "model": "x@401"}]},
            {"model": "*", "targets": [{"provider": "sim"}]},
        ]
    },
    "resilience": {"retry": {"attempts": 2, "base": 0.01, "max": 0.01}},
    "prices": {
        "prices": [
            {
                "provider": "sim",
                "model": "*",
                "input_per_million": 3,
                "output_per_million": 12,
            }
        ]
    },
}
PATHS = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages", "ollama": "/api/chat"}


@pytest.fixture
def start(starter: Starter) -> Callable[..., tuple[Gateway, Simulator]]:
    def begin(simulated: dict[str, Any] | None = None, **inspector: Any) -> Any:
        simulator, url = starter.simulator(**(simulated or {}))
        listen = {"gateway": "127.0.0.1:0", "admin": "127.0.0.1:0", "inspector": "127.0.0.1:0"}
        provider = {
            "api": "simulator",
            "base_url": url,
            "api_key": PROVIDER_KEY,
            "headers": {"x-extra-token": HEADER_KEY},
        }
        settings = {
            "listen": listen,
            "admin_token": ADMIN_TOKEN,
            "providers": {"sim": provider, "strict": provider},
            "inspector": inspector,
        }
        return starter.gateway(settings, POLICIES), simulator

    return begin


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def ask(
    gateway: Gateway,
    text: str = "What is a gateway?",
    *,
    model: str = "gpt-4o",
    dialect: str = "openai",
    key: str = KEY,
    stream: bool = False,
) -> httpx.Response:
    body = {
        "model": model,
        "max_tokens": 20,
        "stream": stream,
        "messages": [{"role": "user", "content": text}],
    }
    headers = {"authorization": f"Bearer {key}", "cookie": "session=abc"}
    return httpx.post(gateway.url + PATHS[dialect], json=body, headers=headers, timeout=30)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", PATHS)
def test_calls_and_their_attempts(
    start: Callable[..., tuple[Gateway, Simulator]], dialect: str, stream: bool
) -> None:
    """A call and its two attempts are flows; the LLM view tells its conversation and its story."""
    gateway, simulator = start()
    reply = ask(gateway, model="saved", dialect=dialect, stream=stream)
    inspecting = Inspecting(gateway)
    call, first, second = inspecting.flows()
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


def test_a_stream_is_seen_while_it_runs(
    start: Callable[..., tuple[Gateway, Simulator]], pool: ThreadPoolExecutor
) -> None:
    """It appears at its start, and what came so far grows."""
    gateway, _ = start({"pace": 10, "tokens": 40})
    inspecting = Inspecting(gateway)
    call = pool.submit(ask, gateway, stream=True)
    (running,) = inspecting.wait(lambda f: "streaming" in f["comment"])
    size = running["response"]["contentLength"]
    (grown,) = inspecting.wait(
        lambda f: "streaming" in f["comment"] and f["response"]["contentLength"] > size
    )
    assert not call.done()
    assert "── assistant" in inspecting.text(grown, "response")
    call.result()
    (ended,) = inspecting.wait(lambda f: f["comment"].endswith("200 ok"))
    assert ended["id"] == running["id"]


MARKED = [
    ("❌", {"key": WRONG_KEY}, "401 authentication"),
    ("❌", {"model": "x@400"}, "400 upstream_refused"),
    ("💰", {"text": "very " * 3000}, "200 ok"),
]


@pytest.mark.parametrize(("mark", "how", "outcome"), MARKED)
def test_marks(
    start: Callable[..., tuple[Gateway, Simulator]], mark: str, how: dict[str, Any], outcome: str
) -> None:
    """Failed, refused and expensive calls are marked, and say why."""
    gateway, _ = start(expensive_usd=0.005)
    ask(gateway, **how)
    (call,) = Inspecting(gateway).calls()
    assert call["marked"] == mark
    assert call["comment"].endswith(outcome)


def test_limited_calls_are_marked(start: Callable[..., tuple[Gateway, Simulator]]) -> None:
    """A 429 by policy has a mark of its own."""
    gateway, _ = start()
    assert [ask(gateway, key="sk-few-0123456789").status_code for _ in range(2)] == [200, 429]
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


def test_filters(start: Callable[..., tuple[Gateway, Simulator]]) -> None:
    """`~meta` finds calls and attempts by key, user, model and target."""
    gateway, _ = start()
    ask(gateway, model="saved")
    ask(gateway, key="sk-few-0123456789")
    inspecting = Inspecting(gateway)
    for expression, count in FILTERS:
        dump = inspecting.get("/flows/dump", params={"filter": expression}).content
        assert len(list(FlowReader(BytesIO(dump)).stream())) == count, expression


def edited(text: str, model: str = "gpt-4o") -> str:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": text}]})


def test_hold_edit_resume(
    start: Callable[..., tuple[Gateway, Simulator]], pool: ThreadPoolExecutor
) -> None:
    """A held prompt is edited; the edited one is routed, sent and accounted."""
    gateway, simulator = start()
    inspecting = Inspecting(gateway)
    inspecting.set(intercept="~b secret & ~meta 'key: dev'")
    passing = ask(gateway, "nothing special")
    assert passing.status_code == 200
    call = pool.submit(ask, gateway, "the secret plan")
    (held,) = inspecting.wait(lambda f: f["intercepted"])
    assert len(simulator.requests) == 1
    inspecting.edit(held, edited("the public plan", model="saved"))
    inspecting.post(f"/flows/{held['id']}/resume")
    reply = call.result()
    assert reply.headers["x-llmitm-target"] == "sim/steady"
    assert b"public" in simulator.requests[-1].body
    assert b"secret" not in b"".join(request.body for request in simulator.requests)
    (shown,) = inspecting.wait(lambda f: f["modified"] and not f["intercepted"])
    assert shown["comment"].startswith("saved · ")


@pytest.mark.parametrize("how", ["kill", "delete"])
def test_hold_kill(
    start: Callable[..., tuple[Gateway, Simulator]], pool: ThreadPoolExecutor, how: str
) -> None:
    """A killed call is refused, and no provider hears of it."""
    gateway, simulator = start(hold="~b secret")
    inspecting = Inspecting(gateway)
    call = pool.submit(ask, gateway, "secret")
    (held,) = inspecting.wait(lambda f: f["intercepted"])
    if how == "kill":
        inspecting.post(f"/flows/{held['id']}/kill")
    else:
        inspecting.ask("DELETE", f"/flows/{held['id']}")
    assert call.result().status_code == 403
    assert "operator" in call.result().json()["error"]["message"]
    assert not simulator.requests


@pytest.mark.parametrize(("then", "status"), [("resume", 200), ("kill", 403)])
def test_hold_timeout(
    start: Callable[..., tuple[Gateway, Simulator]], then: str, status: int
) -> None:
    """When nobody decides in time, the configuration does."""
    gateway, _ = start(hold="~q", hold_timeout=0.1, hold_then=then)
    assert ask(gateway).status_code == status
    (call,) = Inspecting(gateway).calls()
    assert not call["intercepted"]


def test_shutdown_does_not_wait_for_operators(
    start: Callable[..., tuple[Gateway, Simulator]], pool: ThreadPoolExecutor
) -> None:
    """Held calls go on when the gateway is asked to stop, and are answered."""
    gateway, _ = start(hold="~q", hold_timeout=600)
    call: Future[httpx.Response] = pool.submit(ask, gateway)
    Inspecting(gateway).wait(lambda f: f["intercepted"])
    gateway.master.shutdown()
    assert call.result().status_code == 200


def ledger(gateway: Gateway) -> list[tuple[Any, ...]]:
    gateway.master.runtime.ledger.flush()
    with sqlite3.connect(gateway.directory / "ledger.db") as database:
        query = "SELECT key_id, user_id, model, status FROM calls ORDER BY ts"
        return list(database.execute(query).fetchall())


def test_resend(start: Callable[..., tuple[Gateway, Simulator]]) -> None:
    """A call that is sent again is limited, routed and accounted as its key's own."""
    gateway, simulator = start()
    ask(gateway, model="saved")
    assert ask(gateway, key="sk-few-0123456789").status_code == 200
    inspecting = Inspecting(gateway)
    saved, few = inspecting.calls()
    inspecting.edit(saved, edited("again, please"))
    inspecting.post(f"/flows/{saved['id']}/replay")
    inspecting.post(f"/flows/{few['id']}/replay")
    again = inspecting.wait(lambda f: f["is_replay"] and "·" in f["comment"], 2)
    outcomes = {flow["comment"].rpartition(" · ")[2] for flow in again}
    assert outcomes == {"200 ok", "429 rate_limited"}
    assert b"again, please" in simulator.requests[-1].body
    assert sorted(ledger(gateway)) == [
        ("dev", "ava", "gpt-4o", 200),
        ("dev", "ava", "saved", 200),
        ("few", None, "gpt-4o", 200),
        ("few", None, "gpt-4o", 429),
    ]


def test_resend_as_a_key_that_is_gone(starter: Starter, start: Any) -> None:
    """A key that was disabled meanwhile does not come back by its old calls."""
    gateway, _ = start()
    ask(gateway)
    keys = gateway.policies / "keys.yaml"
    keys.write_text("keys: [{id: other, key: sk-other-0123456789}]\n")
    gateway.thread.run(gateway.master.watcher.reload_now())
    inspecting = Inspecting(gateway)
    (call,) = inspecting.calls()
    inspecting.post(f"/flows/{call['id']}/replay")
    (again,) = inspecting.wait(lambda f: f["is_replay"] and "·" in f["comment"])
    assert again["comment"].endswith("401 authentication")


def everything(inspecting: Inspecting) -> bytes:
    """All that the inspector gives away, by every way there is."""
    paths = ("/flows", "/flows/dump", "/options", "/state", "/events", "/commands")
    parts = [inspecting.get(path).content for path in paths]
    for flow in inspecting.flows():
        for message in ("request", "response"):
            if flow.get(message):
                parts.append(inspecting.body(flow, message))
                parts += [inspecting.text(flow, message, v).encode() for v in ("auto", "raw")]
        for kind in ("curl", "httpie", "raw", "raw_request"):
            arguments = {"arguments": [kind, f"@{flow['id']}"]}
            parts.append(inspecting.post("/commands/export", json=arguments).content)
    return b"\n".join(parts)


def test_no_key_of_anyone(
    start: Callable[..., tuple[Gateway, Simulator]], pool: ThreadPoolExecutor
) -> None:
    """Neither clients' nor providers' keys are in the UI, its exports or its files of flows."""
    gateway, _ = start({"pace": 20}, password="inspector-canary-4715", hold="~b hold-me")
    inspecting = Inspecting(gateway, authorization="Bearer inspector-canary-4715")
    ask(gateway)
    ask(gateway, stream=True, model="saved")
    ask(gateway, key=WRONG_KEY)
    ask(gateway, model="refused")
    chat = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
    for headers in ({"x-api-key": KEY}, {"api-key": KEY}, {"x-goog-api-key": KEY}):
        httpx.post(gateway.url + "/v1/chat/completions", json=chat, headers=headers)
    httpx.post(f"{gateway.url}/v1/chat/completions?key={KEY}", json=chat)
    httpx.post(f"{gateway.url}/v1/chat/completions?api_key={WRONG_KEY}", json=chat)
    httpx.post(gateway.url + "/v1/chat/completions", json=chat, headers={"cookie": f"k={KEY}"})
    held = pool.submit(ask, gateway, "hold-me")
    running = pool.submit(ask, gateway, stream=True)
    inspecting.wait(lambda f: f["intercepted"])
    inspecting.wait(lambda f: "streaming" in f["comment"])
    seen = everything(inspecting)
    inspecting.post("/flows/resume")
    assert held.result().status_code == running.result().status_code == 200
    seen += everything(inspecting)
    assert b"What is a gateway?" in seen and b"*****" in seen
    found = [c for c in (*CANARIES, "inspector-canary-4715") if c.encode() in seen]
    assert found == []


class Echo(BaseHTTPRequestHandler):
    """A provider that refuses, and says which key it refused."""

    def do_POST(self) -> None:
        key = self.headers["authorization"]
        body = json.dumps({"error": {"message": f"wrong key: {key}"}}).encode()
        self.send_response(400)
        self.send_header("content-type", "application/json")
        self.send_header("x-echo", key)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def test_a_providers_error_may_repeat_its_key(starter: Starter) -> None:
    """Some providers say which key they refused; the inspector does not."""
    with HTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        provider = {"api": "openai", "base_url": url, "api_key": PROVIDER_KEY}
        listen = {"gateway": "127.0.0.1:0", "admin": "127.0.0.1:0", "inspector": "127.0.0.1:0"}
        gateway = starter.gateway({"listen": listen, "providers": {"sim": provider}})
        assert ask(gateway).status_code == 400
        inspecting = Inspecting(gateway)
        _, attempt = inspecting.flows()
        assert b"wrong key: Bearer *****" in inspecting.body(attempt, "response")
        assert PROVIDER_KEY.encode() not in everything(inspecting)
        server.shutdown()


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


def test_ten_thousand_calls_in_bounded_memory(
    start: Callable[..., tuple[Gateway, Simulator]], pool: ThreadPoolExecutor
) -> None:
    """The last `keep` calls are there, and memory does not grow with the others."""
    gateway, _ = start({"keep": 10}, keep=200)
    process = psutil.Process()
    for share in pool.map(many, [gateway] * 4, [500] * 4):
        assert share is None
    inspecting = Inspecting(gateway)
    inspecting.flows()
    before = process.memory_info().rss
    for share in pool.map(many, [gateway] * 4, [2000] * 4):
        assert share is None
    assert len(inspecting.flows()) == 400
    book = gateway.master.addons.get("inspector").parts.book
    assert len(book.entries) == 200
    assert process.memory_info().rss - before < 48 << 20


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
    assert seen.get(timeout=10) == (None, None)


def test_a_taken_port_is_an_error_at_start(starter: Starter, start: Any) -> None:
    """Nothing serves with half of its listeners."""
    gateway, _ = start()
    host, port = gateway.master.runtime.inspector
    settings = {"listen": {"gateway": "127.0.0.1:0", "inspector": f"{host}:{port}"}}
    with pytest.raises(Exception, match=f"can't listen on {host}:{port}"):
        starter.gateway({**settings, "providers": {"sim": {"api": "simulator"}}})


def test_websockets(start: Callable[..., tuple[Gateway, Simulator]]) -> None:
    """The messages of a session are kept, and who they are from."""
    from websockets.sync.client import connect

    gateway, _ = start()
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
