"""What becomes of a provider's answer on its way to the client."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard

from tests.support.calls import one_call
from tests.support.rig import AUTH, CHAT, JSON, Rig
from tests.support.wire import (
    DONE,
    STREAM_HEAD,
    Message,
    Peer,
    chat,
    completion,
    finish,
    reply,
    request,
    token,
)

FILES = "/v1/files/file-1"
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
}


def get(rig: Rig, answer: bytes, path: str = FILES) -> tuple[Peer, Message]:
    """A client, and what it gets for the provider's `answer` to a GET."""
    client = rig.client()
    client.send(request("GET", path, None, AUTH))
    peer, _ = rig.asked()
    peer.send(answer)
    return client, client.message(bodiless=b" 204 " in answer or b" 304 " in answer)


@pytest.mark.parametrize("encoding", PACK)
def test_encoded_though_nobody_asked(rig: Rig, encoding: str) -> None:
    """An answer that comes encoded is decoded, read for its usage, and passed on plain."""
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    body = completion("hello", usage=usage)
    with one_call(rig.watcher) as calls:
        client = rig.post(chat())
        peer, asked = rig.asked()
        assert asked.headers["accept-encoding"] == "identity"
        peer.send(reply(200, PACK[encoding](body), {"content-encoding": encoding}))
        answer = client.message()
    assert answer.body == body
    assert "content-encoding" not in answer.headers
    assert calls[0].completion_tokens == 3


def test_encoded_stream(rig: Rig) -> None:
    """So is a stream, and each token still comes at once."""
    client = rig.post(chat(stream=True))
    peer, _ = rig.asked()
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)

    def packed(data: bytes) -> bytes:
        return packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)

    peer.send(STREAM_HEAD.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n"))
    peer.send_chunk(packed(token("one")))
    assert "content-encoding" not in client.head().headers
    assert client.chunk() == token("one")
    peer.send_chunk(packed(token("two")))
    assert client.chunk() == token("two")
    peer.send_chunk(packed(finish() + DONE))
    peer.send_chunk(b"")
    assert client.rest_of_chunks() == finish() + DONE


@pytest.mark.parametrize("encoding", ["gzip", "unheard-of"])
def test_wrongly_encoded(rig: Rig, encoding: str) -> None:
    """An answer that can't be decoded is the provider's failure."""
    client = rig.post(chat())
    peer, _ = rig.asked()
    peer.send(reply(200, completion(), {"content-encoding": encoding}))
    assert client.message().status == 503


@pytest.mark.parametrize("encoding", [None, "br"])
def test_encoded_error(rig: Rig, encoding: str | None) -> None:
    """A provider's refusal is the client's to see, encoded or not."""
    body = b'{"error": {"message": "no such parameter", "type": "x", "code": null}}'
    client = rig.post(chat())
    peer, _ = rig.asked()
    headers = {"content-encoding": encoding} if encoding else {}
    peer.send(reply(400, PACK[encoding](body) if encoding else body, headers))
    answer = client.message()
    assert answer.status == 400
    assert answer.json["error"]["message"] == "no such parameter"


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_bodiless(rig: Rig, status: int, kind: str) -> None:
    """A status without a body is passed on without one, and the connection stays usable."""
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\netag: abc\r\n\r\n".encode()
    client, answer = get(rig, head)
    assert answer.status == status
    assert answer.headers["etag"] == "abc"
    assert "transfer-encoding" not in answer.headers
    client.send(request("GET", "/api/version", None, AUTH))
    assert client.message().status == 200


def test_json_as_it_is(rig: Rig) -> None:
    """JSON of an operation without a model is passed on byte for byte."""
    body = b'{"id" : "file-1",\n "n": 1.50 }'
    assert get(rig, reply(200, body))[1].body == body


def test_bytes_as_they_come(rig: Rig) -> None:
    """What isn't JSON is passed on as it comes, before its end has come."""
    client = rig.client()
    client.send(request("GET", f"{FILES}/content", None, AUTH))
    peer, _ = rig.asked()
    kind = {"content-type": "application/octet-stream", "content-length": "6"}
    peer.send(reply(200, b"", kind), b"one")
    assert client.head().headers["content-type"] == "application/octet-stream"
    assert client.chunk() == b"one"
    peer.send(b"two")
    assert client.rest_of_chunks() == b"two"


def test_bytes_that_break_off(rig: Rig) -> None:
    """A download that breaks off never looks whole."""
    with one_call(rig.watcher) as calls:
        client = rig.client()
        client.send(request("GET", f"{FILES}/content", None, AUTH))
        peer, _ = rig.asked()
        kind = {"content-type": "application/octet-stream", "content-length": "6"}
        peer.send(reply(200, b"", kind), b"one")
        client.head()
        assert client.chunk() == b"one"
        peer.close()
        with pytest.raises(EOFError):
            client.chunk()
    assert calls[0].error == "stream_cut"


@pytest.mark.parametrize(
    ("location", "passed"),
    [
        ("{origin}/v1/files/file-2?x=%2F", "/v1/files/file-2?x=%2F"),
        ("{origin}", "/"),
        ("/v1/files/file-2", "/v1/files/file-2"),
        ("https://storage.test/blob?sig=1", "https://storage.test/blob?sig=1"),
        ("{origin}.evil.test/x", "{origin}.evil.test/x"),
    ],
)
def test_redirected_get(rig: Rig, location: str, passed: str) -> None:
    """A redirect within the provider leads to the gateway; one to elsewhere is the client's."""
    origin = rig.upstream.url
    headers = {"location": location.format(origin=origin)}
    _, answer = get(rig, reply(302, b"", headers))
    assert answer.status == 302
    assert answer.headers["location"] == passed.format(origin=origin)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirected_post(rig: Rig, status: int) -> None:
    """A prompt follows no redirect, and neither does the client: the provider is misconfigured."""
    client = rig.post(chat())
    peer, _ = rig.asked()
    peer.send(reply(status, b"{}", {"location": "https://elsewhere.test/v1"}))
    answer = client.message()
    assert answer.status == 503
    assert "location" not in answer.headers


def test_headers_that_stay_here(rig: Rig) -> None:
    """What tells of the provider's account, limits and servers is not the client's."""
    theirs = {
        "server": "nginx",
        "set-cookie": "session=1",
        "openai-organization": "org-1",
        "x-ratelimit-remaining-requests": "1",
        "anthropic-ratelimit-requests-limit": "1",
        "cf-ray": "1",
        "retry-after": "9",
        "x-request-id": "theirs",
        "openai-processing-ms": "12",
    }
    client = rig.post(chat())
    peer, _ = rig.asked()
    peer.send(reply(200, completion(), theirs))
    answer = client.message()
    assert answer.headers["x-request-id"] != "theirs"
    assert set(theirs) & set(answer.headers) == {"x-request-id", "openai-processing-ms"}


def test_informational_answers(rig: Rig) -> None:
    """A 100 or 103 before the answer is not taken for it."""
    client = rig.post(chat())
    peer, _ = rig.asked()
    peer.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n")
    peer.send(reply(200, completion()))
    answer = client.message()
    assert answer.status == 200
    assert "link" not in answer.headers


def test_stream_that_nobody_asked_for(rig: Rig) -> None:
    """A provider that streams against the request is passed on, and counted."""
    with one_call(rig.watcher) as calls:
        client = rig.post(chat())
        peer, _ = rig.asked()
        peer.send(STREAM_HEAD)
        usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
        last = b"data: %b\n\n" % json.dumps({"choices": [], "usage": usage}).encode()
        for data in (token("hello"), finish(), last, DONE, b""):
            peer.send_chunk(data)
        assert client.message().status == 200
    assert calls[0].stream
    assert calls[0].completion_tokens == 3


def test_refusal_with_a_body_that_is_no_json(rig: Rig) -> None:
    """A refusal that comes as a page is told in the client's dialect."""
    client = rig.client()
    client.send(request("POST", CHAT, chat(), JSON))
    peer, _ = rig.asked()
    peer.send(reply(400, b"<html>Bad Request</html>", {"content-type": "text/html"}))
    answer = client.message()
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/json"
    assert "<html>" not in answer.json["error"]["message"]
