"""What clients must not be able to do: smuggle requests, exhaust memory, hold connections."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.calls import one_call
from tests.support.rig import AUTH, Rig
from tests.support.wire import chat, completion, reply, request

KEY = AUTH["authorization"].encode()
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: " + KEY + b"\r\n"
SECOND = b"GET /v1/smuggled HTTP/1.1\r\nhost: x\r\nauthorization: " + KEY + b"\r\n\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"

# Each could make two parsers disagree about where a request ends (RFC 9112 §11.2).
SMUGGLED = {
    "length and chunks": HEAD + b"content-length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n" + SECOND,
    "chunks and length": HEAD + CHUNKED + b"content-length: 5\r\n\r\n0\r\n\r\n" + SECOND,
    "two lengths": HEAD + b"content-length: 2\r\ncontent-length: 9\r\n\r\n{}" + SECOND,
    "two equal lengths": HEAD + b"content-length: 2\r\ncontent-length: 2\r\n\r\n{}" + SECOND,
    "list of lengths": HEAD + b"content-length: 2, 2\r\n\r\n{}" + SECOND,
    "signed length": HEAD + b"content-length: +2\r\n\r\n{}" + SECOND,
    "negative length": HEAD + b"content-length: -2\r\n\r\n{}" + SECOND,
    "hexadecimal length": HEAD + b"content-length: 0x2\r\n\r\n{}" + SECOND,
    "length with a space": HEAD + b"content-length: 1 2\r\n\r\n{}" + SECOND,
    "empty length": HEAD + b"content-length:\r\n\r\n{}" + SECOND,
    "huge length": HEAD + b"content-length: 99999999999999999999999\r\n\r\n{}" + SECOND,
    "space before the colon": HEAD + b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n" + SECOND,
    "unknown coding": HEAD + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n" + SECOND,
    "coding after chunked": HEAD + b"transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n" + SECOND,
    "identity": HEAD + b"transfer-encoding: identity\r\n\r\n{}" + SECOND,
    "two codings": HEAD + CHUNKED + b"transfer-encoding: identity\r\n\r\n0\r\n\r\n" + SECOND,
    "folded line": HEAD + b"transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + SECOND,
    "vertical tab": HEAD + b"transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + SECOND,
    "NUL in a value": HEAD + b"x: a\x00b\r\n\r\n" + SECOND,
    "NUL in a name": HEAD + b"x\x00y: b\r\n\r\n" + SECOND,
    "bare CR": HEAD + b"x: a\rtransfer-encoding: chunked\r\n\r\n" + SECOND,
    "bare LF": HEAD.replace(b"\r\n", b"\n") + b"content-length: 2\n\n{}" + SECOND,
    "line without a colon": HEAD + b"content-length\r\n\r\n{}" + SECOND,
    "space before a name": HEAD + b" content-length: 2\r\n\r\n{}" + SECOND,
    "name with a space": HEAD + b"content length: 2\r\n\r\n{}" + SECOND,
    "chunk size with a sign": HEAD + CHUNKED + b"\r\n+2\r\n{}\r\n0\r\n\r\n" + SECOND,
    "chunk size in 0x": HEAD + CHUNKED + b"\r\n0x2\r\n{}\r\n0\r\n\r\n" + SECOND,
    "chunk too long": HEAD + CHUNKED + b"\r\n2\r\n{}}}\r\n0\r\n\r\n" + SECOND,
    "chunk size too large": HEAD + CHUNKED + b"\r\nfffffffffffffffff\r\n{}\r\n" + SECOND,
    "chunk ended by LF": HEAD + CHUNKED + b"\r\n2\n{}\n0\n\n" + SECOND,
    "no host": HEAD.replace(b"host: x\r\n", b"") + b"content-length: 2\r\n\r\n{}" + SECOND,
    "two hosts": HEAD + b"host: y\r\ncontent-length: 2\r\n\r\n{}" + SECOND,
    "HTTP/0.9": b"GET /v1/models\r\n\r\n",
    "HTTP/2.0": b"GET /v1/models HTTP/2.0\r\nhost: x\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
    "garbage": b"\x00\x01\x02 hello \r\n\r\n",
    "space in the target": b"GET /v1/models x HTTP/1.1\r\nhost: x\r\n\r\n",
    "HTTP/1.1 in lower case": b"GET /v1/models http/1.1\r\nhost: x\r\n\r\n",
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_ambiguous_requests(rig: Rig, name: str) -> None:
    """A request that two parsers might read differently gets one 400 in JSON, and the door."""
    with one_call(rig.watcher) as calls:
        client = rig.client()
        client.send(SMUGGLED[name])
        answer = client.message()
        assert answer.status == 400, answer
        assert answer.json["error"]["type"] == "invalid_request_error"
        assert answer.headers["connection"] == "close"
        assert client.closed()
    assert calls[0].status == 400


@settings(max_examples=60, deadline=None)
@given(garbage=st.binary(min_size=1, max_size=200))
def test_garbage(shared_rig: Rig, garbage: bytes) -> None:
    """Whatever bytes come, the answer is a 400 or none, never a call to the provider."""
    client = shared_rig.client()
    client.send(garbage + b"\r\n\r\n\r\n\r\n")
    client.socket.shutdown(1)
    answer = client.rest()
    assert not answer or answer.startswith(b"HTTP/1.1 4")
    shared_rig.reset()


def test_header_too_long(rig: Rig) -> None:
    """One header above the limit is a 431 in JSON."""
    client = rig.client()
    client.send(request("GET", "/api/version", None, {"x-long": "a" * 9000}))
    answer = client.message()
    assert answer.status == 431
    assert answer.json["error"]["code"] == "headers_too_large"
    assert client.closed()


def test_head_too_long(rig: Rig) -> None:
    """Many headers above the limit together are a 431, before their end has come."""
    client = rig.client()
    client.send(b"GET /api/version HTTP/1.1\r\nhost: x\r\n")
    for number in range(20):
        client.send(f"x-{number}: {'a' * 500}\r\n".encode())
    assert client.message().status == 431
    assert client.closed()


def test_head_too_long_at_once(rig: Rig) -> None:
    """Such a head is refused as well where all of it comes in one packet."""
    client = rig.client()
    fields = {f"x-{number}": "a" * 500 for number in range(20)}
    client.send(request("GET", "/api/version", None, {**AUTH, **fields}))
    assert client.message().status == 431
    assert client.closed()


def test_too_many_headers(rig: Rig) -> None:
    """So is a number of headers that no client needs."""
    client = rig.client()
    client.send(request("GET", "/api/version", None, {f"x-{n}": "1" for n in range(200)}))
    assert client.message().status == 431


def test_head_above_its_limit_in_the_second_request(rig: Rig) -> None:
    """The limit counts each head anew."""
    client = rig.client()
    for _ in range(3):
        client.send(request("GET", "/api/version", None, {**AUTH, "x-long": "a" * 5000}))
        assert client.message().status == 200


def test_many_headers_are_passed(rig: Rig) -> None:
    """A head just below the limits works."""
    client = rig.post(chat(), **{f"x-{n}": "a" * 50 for n in range(90)})
    peer, asked = rig.asked()
    assert asked.headers["x-89"] == "a" * 50
    peer.send(reply(200, completion()))
    assert client.message().status == 200


def test_idle_connections_are_kept_for_a_while(rig: Rig) -> None:
    """The time limit of a head begins with its first byte, and ends with its last."""
    client = rig.client()
    client.send(b"GET /api/version HTTP/1.1\r\n", b"host: x\r\n")
    client.send(b"authorization: " + KEY + b"\r\n\r\n")
    assert client.message().status == 200
    client.send(request("GET", "/api/version", None, AUTH))
    assert client.message().json["version"]
