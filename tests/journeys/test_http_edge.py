"""Streams and uploads as they pass: at once, no faster than they are read, to their end only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.support.calls import one_call
from tests.support.rig import AUTH, CHAT, JSON, Rig, rigged
from tests.support.wire import (
    DONE,
    SECONDS,
    STREAM_HEAD,
    Peer,
    chat,
    completion,
    connect,
    event,
    finish,
    reply,
    request,
    token,
)

BINARY = {**AUTH, "content-type": "application/octet-stream"}
NDJSON_HEAD = STREAM_HEAD.replace(b"text/event-stream", b"application/x-ndjson")
# More than all buffers between two ends of a connection can hold.
FLOOD = 64 << 20
CHUNK = token("x" * 60_000)


@pytest.fixture(scope="module")
def shared_rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rigged(tmp_path_factory.mktemp("rig")) as rig:
        yield rig


@pytest.fixture
def rig(shared_rig: Rig) -> Iterator[Rig]:
    yield shared_rig
    shared_rig.reset()


def anthropic_token(text: str) -> bytes:
    delta = {"type": "text_delta", "text": text}
    data = {"type": "content_block_delta", "index": 0, "delta": delta}
    return b"event: content_block_delta\ndata: %b\n\n" % json.dumps(data).encode()


def ollama_token(text: str) -> bytes:
    said = {"role": "assistant", "content": text}
    return json.dumps({"model": "m", "message": said, "done": False}).encode() + b"\n"


def responses_token(text: str) -> bytes:
    data = {"type": "response.output_text.delta", "delta": text, "output_index": 0}
    return b"event: %b\ndata: %b\n\n" % (b"response.output_text.delta", json.dumps(data).encode())


MESSAGE_START = b'event: message_start\ndata: {"type": "message_start", "message": {}}\n\n'

DIALECTS: dict[str, tuple[str, bytes, Callable[[str], bytes]]] = {
    "openai": (CHAT, STREAM_HEAD, token),
    "responses": ("/v1/responses", STREAM_HEAD, responses_token),
    "anthropic": ("/v1/messages", STREAM_HEAD, anthropic_token),
    "ollama": ("/api/chat", NDJSON_HEAD, ollama_token),
}


def streaming(rig: Rig, dialect: str = "openai") -> tuple[Peer, Peer]:
    """A client and the provider of a stream whose head is out."""
    path, head, make = DIALECTS[dialect]
    client = rig.post(chat(stream=True), path)
    peer, _ = rig.asked()
    peer.send(head)
    beginning = MESSAGE_START if dialect == "anthropic" else b""
    peer.send_chunk(beginning + make("zero"))
    assert client.head().status == 200
    assert client.chunk() == beginning + make("zero")
    return client, peer


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_token_at_once(rig: Rig, dialect: str) -> None:
    """A token is with the client, byte for byte, before the provider sends the next one."""
    make = DIALECTS[dialect][2]
    client, peer = streaming(rig, dialect)
    for number in range(20):
        peer.send_chunk(make(f"token {number}"))
        assert client.chunk() == make(f"token {number}")


def test_token_in_pieces(rig: Rig) -> None:
    """An event that comes byte by byte is passed on whole, and none of it is lost."""
    client, peer = streaming(rig)
    whole = token("one") + token("two") + finish() + DONE
    for at in range(len(whole)):
        peer.send_chunk(whole[at : at + 1])
    peer.send_chunk(b"")
    assert client.rest_of_chunks() == whole


def test_client_that_leaves_a_stream(rig: Rig) -> None:
    """A client that leaves takes the provider's connection with it; the call ends, and says so."""
    with one_call(rig.watcher) as calls:
        client, peer = streaming(rig)
        client.close()
        assert peer.closed()
    assert calls[0].error == "client_closed"
    assert calls[0].status == 200
    assert calls[0].attempts[0].error is not None


def test_client_that_leaves_with_its_answer(rig: Rig) -> None:
    """SDKs leave when they read the end mark; a call is whole then, and so is its usage."""
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    with one_call(rig.watcher) as calls:
        client, peer = streaming(rig)
        for data in (finish(), event({"choices": [], "usage": usage}), DONE):
            peer.send_chunk(data)
        client.until(DONE)
        client.close()
        assert peer.closed()
    assert (calls[0].status, calls[0].error) == (200, None)
    assert calls[0].attempts[0].error is None
    assert (calls[0].completion_tokens, calls[0].estimated) == (3, False)


def test_client_that_leaves_before_the_answer(rig: Rig) -> None:
    """So does one that leaves before there is an answer."""
    with one_call(rig.watcher) as calls:
        client = rig.post(chat())
        peer, _ = rig.asked()
        client.close()
        assert peer.closed()
    assert calls[0].error == "client_closed"
    assert calls[0].status == 499


def test_client_that_leaves_an_upload(rig: Rig) -> None:
    """An upload that breaks off breaks off at the provider too, and never looks whole."""
    with one_call(rig.watcher) as calls:
        client = rig.client()
        headers = {**BINARY, "content-length": "9000000"}
        client.send(request("POST", "/v1/uploads/1/parts", None, headers), bytes(2_000_000))
        peer = rig.accept()
        peer.head()
        peer.exactly(2_000_000)
        client.close()
        assert peer.closed()
    assert calls[0].error == "client_closed"


def test_client_that_leaves_before_its_request_is_whole(rig: Rig) -> None:
    """A JSON body that breaks off asks no provider."""
    with one_call(rig.watcher) as calls:
        client = rig.client()
        client.send(request("POST", CHAT, None, {**JSON, "content-length": "1000"}), b'{"model"')
        client.close()
    assert calls[0].error == "client_closed"
    assert calls[0].attempts == ()


def flood(peer: Peer, data: bytes) -> int:
    """Send until the other side takes no more for a second; how many bytes it took."""
    peer.socket.settimeout(1)
    sent = 0
    view = memoryview(data)
    try:
        while sent < FLOOD:
            sent += peer.socket.send(view[sent % len(data) :])
    except TimeoutError:
        peer.socket.settimeout(SECONDS)
    return sent


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Runs `work` beside the block, and raises what it raised."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work)
        yield
        done.result(SECONDS)


def test_slow_reader(rig: Rig) -> None:
    """A client that doesn't read stops the provider, instead of filling the gateway's memory."""
    client, peer = streaming(rig)
    event = b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK)
    sent = flood(peer, event)
    assert sent < FLOOD / 2
    rest = len(event) - sent % len(event)

    def go_on() -> None:
        peer.send(event[-rest:])
        for data in (finish(), DONE, b""):
            peer.send_chunk(data)

    with meanwhile(go_on):
        body = client.rest_of_chunks()
    assert body == CHUNK * ((sent + rest) // len(event)) + finish() + DONE


def test_slow_provider(rig: Rig) -> None:
    """A provider that doesn't read an upload stops the client."""
    client = rig.client()
    headers = {**BINARY, "content-length": str(FLOOD)}
    client.send(request("POST", "/v1/uploads/1/parts", None, headers))
    data = bytes(1 << 16)
    client.send(data * 32)  # past what is held before the provider is asked
    peer = rig.accept()
    peer.head()
    sent = flood(client, data) + len(data) * 32
    assert sent < FLOOD / 2
    with meanwhile(lambda: client.send(bytes(FLOOD - sent))):
        for _ in range(FLOOD // len(data)):
            assert peer.exactly(len(data)) == data
    peer.send(reply(200, b"{}"))
    assert client.message().status == 200


def test_slow_reader_of_a_download(rig: Rig) -> None:
    """The same holds for what is neither JSON nor a stream of events."""
    client = rig.client()
    client.send(request("GET", "/v1/files/file-1/content", None, AUTH))
    peer, _ = rig.asked()
    length = {"content-type": "application/octet-stream", "content-length": str(FLOOD)}
    peer.send(reply(200, b"", length))
    sent = flood(peer, bytes(1 << 16))
    assert sent < FLOOD / 2
    client.close()
    assert peer.rest() == b""


def test_gateway_that_is_told_to_stop(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A gateway that stops lets a running stream end, takes no new call, and then is gone."""
    with rigged(tmp_path_factory.mktemp("stopping")) as rig:
        idle = rig.client()
        idle.send(request("GET", "/api/version", None, AUTH))
        assert idle.message().status == 200
        client, peer = streaming(rig)
        uploading = rig.client()
        uploading.send(request("POST", CHAT, None, {**JSON, "content-length": str(len(chat()))}))
        uploading.send(chat()[:10])
        url = rig.gateway.url
        rig.gateway.master.shutdown()  # type: ignore[no-untyped-call]
        assert idle.closed()
        with pytest.raises(ConnectionError):
            connect(url)
        uploading.send(chat()[10:])
        second, _ = rig.asked()
        second.send(reply(200, completion()))
        answer = uploading.message()
        assert answer.status == 200
        assert answer.headers["connection"] == "close"
        peer.send_chunk(token("last"))
        assert client.chunk() == token("last")
        for data in (finish(), DONE, b""):
            peer.send_chunk(data)
        assert client.rest().endswith(b"0\r\n\r\n")
        rig.gateway.done.result(10)
        assert len(rig.watcher.records) == 3
