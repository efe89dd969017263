"""WebSocket sessions through the gateway, between two ends that the test plays."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus, NegotiationError
from websockets.sync.client import ClientConnection, connect
from websockets.sync.server import Server, ServerConnection, serve

from tests.support.calls import Watcher, watch
from tests.support.gateway import KEY, Gateway, Starter

SECONDS = 40
USAGE = {
    "input_tokens": 100,
    "output_tokens": 20,
    "total_tokens": 120,
    "input_token_details": {"cached_tokens": 60},
}
SCRIPT = """
def websocket_message(flow):
    message = flow.websocket.messages[-1]
    if b"raise" in message.content:
        raise ValueError("a secret of the script")
    if b"drop" in message.content:
        message.drop()
    if message.from_client:
        message.content = message.content.replace(b"hello", b"HELLO")
"""


class Provider:
    """Hands the provider's end of each session to the test."""

    def __init__(self) -> None:
        self._sessions: queue.Queue[ServerConnection] = queue.Queue()
        self._ended = threading.Event()
        self._server: Server = serve(
            self._serve, "127.0.0.1", 0, select_subprotocol=_select, compression=None
        )
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def _serve(self, session: ServerConnection) -> None:
        self._sessions.put(session)
        self._ended.wait()

    def session(self) -> ServerConnection:
        return self._sessions.get(timeout=SECONDS)

    def close(self) -> None:
        self._ended.set()
        self._server.shutdown()
        self._thread.join()


def _select(_: Any, offered: Any) -> Any:
    if "refused" in offered:
        raise NegotiationError("no such protocol")
    return "realtime" if "realtime" in offered else None


class Bench:
    def __init__(self, gateway: Gateway, provider: Provider) -> None:
        self.gateway = gateway
        self.provider = provider
        self.watcher: Watcher = watch(gateway)

    def client(self, query: str = "model=gpt-realtime", **more: Any) -> Any:
        url = f"{self.gateway.url}/v1/realtime?{query}".replace("http", "ws", 1)
        headers = {"additional_headers": {"authorization": f"Bearer {KEY}"}}
        return connect(url, **{**headers, **more})

    @contextmanager
    def both(self) -> Iterator[tuple[ClientConnection, ServerConnection]]:
        with self.client() as client:
            yield client, self.provider.session()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    directory: Path = tmp_path_factory.mktemp("gateway")
    (directory / "script.py").write_text(SCRIPT)
    starter = Starter(directory)
    provider = Provider()
    settings = {
        "addons": ["default", "./script.py"],
        "providers": {
            "up": {"api": "openai", "base_url": f"{provider.url}/v1", "api_key": "sk-provider"}
        },
    }
    policies = {
        "keys": {"keys": [{"id": "dev", "key": KEY, "models": ["gpt-*"]}]},
        "routes": {
            "routes": [{"model": "gpt-*", "targets": [{"provider": "up", "model": "theirs"}]}]
        },
        "prices": {
            "prices": [
                {"provider": "up", "model": "*", "input_per_million": 1, "output_per_million": 2}
            ]
        },
        "resilience": {"circuit_breaker": {"enabled": False}},
    }
    try:
        yield Bench(starter.gateway(settings, policies), provider)
    finally:
        provider.close()
        starter.close()


@pytest.fixture
def bench(shared: Bench) -> Iterator[Bench]:
    shared.watcher.records.clear()
    yield shared
    shared.watcher.wait(1)


def test_messages_pass(bench: Bench) -> None:
    """Text and binary messages pass in both directions, in order."""
    with bench.both() as (client, provider):
        client.send("one")
        client.send(b"\x00two")
        assert provider.recv(SECONDS) == "one"
        assert provider.recv(SECONDS) == b"\x00two"
        provider.send("three")
        provider.send(b"\xfffour")
        assert client.recv(SECONDS) == "three"
        assert client.recv(SECONDS) == b"\xfffour"
    assert bench.watcher.wait()[0].status == 101


def test_request(bench: Bench) -> None:
    """The provider gets the target's model and our credential, never the client's."""
    with bench.both() as (client, provider):
        assert provider.request is not None
        assert provider.request.path == "/v1/realtime?model=theirs"
        assert provider.request.headers.get_all("authorization") == ["Bearer sk-provider"]
        assert client.response is not None
        assert client.response.headers["x-llmitm-target"] == "up/theirs"
        request_id = client.response.headers["x-request-id"]
    assert bench.watcher.wait()[0].request_id == request_id


def test_key_in_a_protocol(bench: Bench) -> None:
    """A browser's key, which comes as a protocol, is accepted and goes no further."""
    protocols: Any = ["realtime", f"openai-insecure-api-key.{KEY}"]
    with bench.client(additional_headers={}, subprotocols=protocols) as client:
        provider = bench.provider.session()
        assert client.subprotocol == "realtime"
        assert provider.request is not None
        assert KEY not in str(provider.request.headers)


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("model=gpt-realtime", {}, 401),
        ("model=o3", {"authorization": f"Bearer {KEY}"}, 403),
        ("model=gpt-a&model=o3", {"authorization": f"Bearer {KEY}"}, 400),
    ],
    ids=["no key", "model not allowed", "two models"],
)
def test_refused(bench: Bench, query: str, headers: dict[str, str], status: int) -> None:
    """A handshake is refused like any call: with a status and a JSON error."""
    with (
        pytest.raises(InvalidStatus) as refused,
        bench.client(query, additional_headers=headers),
    ):
        pytest.fail("the handshake was taken")
    answer = refused.value.response
    assert answer.status_code == status
    assert answer.body is not None
    assert json.loads(answer.body)["error"]["message"]
    assert bench.watcher.wait()[0].status == status


def test_provider_that_takes_no_websocket(bench: Bench) -> None:
    """A provider that refuses the handshake is a 503."""
    url = f"{bench.gateway.url}/v1/responses".replace("http", "ws", 1)
    refusing: Any = ["refused"]
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(
            url + "?model=gpt-a",
            additional_headers={"authorization": f"Bearer {KEY}"},
            subprotocols=refusing,
        ),
    ):
        pytest.fail("the handshake was taken")
    assert refused.value.response.status_code == 503


def test_closed_by_the_client(bench: Bench) -> None:
    """A client's closing code reaches the provider, of whom it is no failure."""
    with bench.both() as (client, provider):
        client.close(4001, "bye")
        with pytest.raises(ConnectionClosed) as closed:
            provider.recv(SECONDS)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4001
        record = bench.watcher.wait()[0]
        assert (record.error, record.attempts[0].error) == (None, None)


def test_closed_by_the_provider(bench: Bench) -> None:
    """A provider's closing code reaches the client."""
    with bench.both() as (client, provider):
        threading.Thread(target=provider.close, args=(4002,)).start()
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(SECONDS)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4002
        assert bench.watcher.wait()[0].error is None


def test_client_that_is_gone(bench: Bench) -> None:
    """A client that vanishes takes the provider's session with it."""
    with bench.both() as (client, provider):
        client.socket.shutdown(2)
        with pytest.raises(ConnectionClosed):
            provider.recv(SECONDS)
        assert bench.watcher.wait()[0].error == "client_closed"


def test_provider_that_is_gone(bench: Bench) -> None:
    """A provider that vanishes is said to the client, and is no success."""
    with bench.both() as (client, provider):
        provider.socket.shutdown(2)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(SECONDS)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1011
        record = bench.watcher.wait()[0]
        assert record.error == "stream_cut"
        assert record.attempts[0].error == "stream_cut"


def test_usage(bench: Bench) -> None:
    """What the provider's events say was used is added up and priced."""
    with bench.both() as (client, provider):
        for _ in range(2):
            provider.send(json.dumps({"type": "response.done", "response": {"usage": USAGE}}))
            client.recv(SECONDS)
        provider.send(json.dumps({"type": "response.created", "response": {"usage": USAGE}}))
        client.recv(SECONDS)
    record = bench.watcher.wait()[0]
    assert (record.prompt_tokens, record.cached_tokens, record.completion_tokens) == (200, 120, 40)
    assert record.cost_usd is not None
    assert record.cost_usd * 1_000_000 == 200 + 80


@pytest.mark.parametrize(
    "event",
    [
        {"type": "session.update", "session": {"model": "o3"}},
        {"type": "response.create", "model": "o3"},
        {"type": "response.create", "response": {"model": "o3"}},
    ],
)
def test_model_in_an_event(bench: Bench, event: dict[str, Any]) -> None:
    """A key can't reach within a session a model that it may not use."""
    with bench.both() as (client, provider):
        client.send(json.dumps({"type": "response.create", "model": "gpt-4"}))
        assert "gpt-4" in str(provider.recv(SECONDS))
        client.send(json.dumps(event))
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(SECONDS)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        with pytest.raises(ConnectionClosed):
            provider.recv(SECONDS)


def test_script(bench: Bench) -> None:
    """A script edits and drops messages; one that raises ends the session."""
    with bench.both() as (client, provider):
        client.send("drop this")
        client.send("hello")
        assert provider.recv(SECONDS) == "HELLO"
        provider.send("hello")
        assert client.recv(SECONDS) == "hello"
        client.send("raise")
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(SECONDS)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1011
        assert "secret" not in closed.value.rcvd.reason
        with pytest.raises(ConnectionClosed):
            provider.recv(SECONDS)


def test_in_flight(bench: Bench) -> None:
    """A session counts as in flight for as long as it lasts."""
    with bench.both() as (client, _):

        def in_flight() -> str:
            text = httpx.get(f"{bench.gateway.admin_url}/metrics").text
            return next(line for line in text.splitlines() if line.startswith("llmitm_in_flight "))

        assert in_flight() == "llmitm_in_flight 1.0"
        client.close()
        bench.watcher.wait()
        assert in_flight() == "llmitm_in_flight 0.0"
