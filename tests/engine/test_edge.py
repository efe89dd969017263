"""HTTP/1.1 as clients speak it, down to the byte."""

from __future__ import annotations

import json

import pytest

from tests.support.calls import one_call
from tests.support.gateway import KEY
from tests.support.rig import AUTH, CHAT, JSON, Rig
from tests.support.wire import (
    DONE,
    STREAM_HEAD,
    chat,
    completion,
    finish,
    reply,
    request,
    token,
)

GET_VERSION = request("GET", "/api/version", None, AUTH)


def test_keep_alive(rig: Rig) -> None:
    """One connection takes call after call, refused ones too."""
    client = rig.client()
    for _ in range(3):
        client.send(GET_VERSION)
        assert client.message().status == 200
        client.send(request("GET", "/api/version"))
        refused = client.message()
        assert refused.status == 401
        assert "connection" not in refused.headers


def test_keep_alive_after_an_unread_body(rig: Rig) -> None:
    """A refusal whose request is there to its end leaves the connection usable."""
    client = rig.client()
    client.send(request("POST", CHAT, chat()))
    refused = client.message()
    assert refused.status == 401
    assert "connection" not in refused.headers
    client.send(GET_VERSION)
    assert client.message().status == 200


def test_date(rig: Rig) -> None:
    """Every reply is dated, once: by the provider where it did, else by us."""
    client = rig.client()
    client.send(GET_VERSION)
    assert client.message().headers["date"].endswith(" GMT")
    client.send(request("POST", CHAT, chat(), JSON))
    peer, _ = rig.asked()
    peer.send(reply(200, completion(), {"date": "Sun, 06 Nov 1994 08:49:37 GMT"}))
    assert client.message().headers["date"] == "Sun, 06 Nov 1994 08:49:37 GMT"


def test_close_is_obeyed(rig: Rig) -> None:
    """`Connection: close` closes after the reply, and the reply says so."""
    client = rig.client()
    client.send(request("GET", "/api/version", None, {**AUTH, "connection": "close"}))
    assert client.message().headers["connection"] == "close"
    assert client.closed()


def test_pipelining(rig: Rig) -> None:
    """Requests sent at once are answered one after the other, in order."""
    client = rig.client()
    client.send(*[request("POST", CHAT, chat(f"model-{n}"), JSON) for n in range(3)])
    for number in range(3):
        peer, asked = rig.asked()
        assert asked.json["model"] == f"model-{number}"
        peer.send(reply(200, completion(f"answer {number}"), {"connection": "close"}))
        peer.close()
    for number in range(3):
        message = client.message().json["choices"][0]["message"]
        assert message["content"] == f"answer {number}"


def test_chunked_request(rig: Rig) -> None:
    """A chunked request body arrives whole, with a length."""
    client = rig.client()
    client.send(request("POST", CHAT, None, {**JSON, "transfer-encoding": "chunked"}))
    body = chat()
    client.send_chunk(body[:10])
    client.send_chunk(body[10:])
    client.send(b"0\r\ntrailer: ignored\r\n\r\n")
    peer, asked = rig.asked()
    assert asked.json == json.loads(body)
    assert asked.headers["content-length"] == str(len(asked.body))
    peer.send(reply(200, completion()))
    assert client.message().status == 200


def test_body_byte_by_byte(rig: Rig) -> None:
    """A request that comes in small pieces is the same request."""
    client = rig.client()
    whole = request("POST", CHAT, chat(), JSON)
    for at in range(0, len(whole), 7):
        client.send(whole[at : at + 7])
    peer, asked = rig.asked()
    assert asked.json == json.loads(chat())
    peer.send(reply(200, completion()))
    assert client.message().status == 200


def test_expect_100_continue(rig: Rig) -> None:
    """A client that asks first is told to go on, and only then sends its body."""
    client = rig.client()
    body = chat()
    headers = {**JSON, "expect": "100-continue", "content-length": str(len(body))}
    client.send(request("POST", CHAT, None, headers))
    assert client.head().status == 100
    client.send(body)
    peer, asked = rig.asked()
    assert asked.json == json.loads(body)
    assert "expect" not in asked.headers
    peer.send(reply(200, completion()))
    assert client.message().status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({**JSON, "content-length": "200000"}, 413)],
    ids=["no key", "too large"],
)
def test_expect_is_refused_before_the_body(rig: Rig, headers: dict[str, str], status: int) -> None:
    """A refused client is never told to go on, and the connection closes at once."""
    client = rig.client()
    fields = {"content-length": "1000", **headers, "expect": "100-continue"}
    client.send(request("POST", CHAT, None, fields))
    answer = client.message()
    assert answer.status == status
    assert answer.headers["connection"] == "close"
    assert client.closed()


def test_head(rig: Rig) -> None:
    """HEAD is answered like GET, without the body."""
    client = rig.client()
    client.send(request("HEAD", "/api/version", None, AUTH), GET_VERSION)
    head = client.message(bodiless=True)
    whole = client.message()
    assert head.status == 200
    assert head.headers["content-length"] == str(len(whole.body)) != "0"


def test_head_goes_upstream(rig: Rig) -> None:
    """HEAD of what only the provider knows is its answer, without waiting for a body."""
    client = rig.client()
    client.send(request("HEAD", "/v1/files/file-1", None, AUTH))
    peer, asked = rig.asked()
    assert asked.method == "HEAD"
    peer.send(reply(200, b"", {"content-length": "1234"}))
    assert client.message(bodiless=True).status == 200
    client.send(GET_VERSION)
    assert client.message().status == 200


@pytest.mark.parametrize("target", [CHAT, "*"])
def test_options(rig: Rig, target: str) -> None:
    """OPTIONS needs no key, says what is allowed, and lets no foreign web page in."""
    client = rig.client()
    asked = {"origin": "https://elsewhere.test", "access-control-request-method": "POST"}
    client.send(request("OPTIONS", target, None, asked))
    answer = client.message(bodiless=True)
    assert answer.status == 204
    assert "POST" in answer.headers["allow"]
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_http_1_0(rig: Rig) -> None:
    """An HTTP/1.0 client gets a reply that ends with the connection, a stream too."""
    old = GET_VERSION.replace(b"HTTP/1.1", b"HTTP/1.0")
    client = rig.client()
    client.send(old)
    assert client.message().json["version"]
    assert client.closed()
    client = rig.client()
    asked = request("POST", CHAT, chat(stream=True), JSON).replace(b"HTTP/1.1", b"HTTP/1.0")
    client.send(asked)
    peer, _ = rig.asked()
    peer.send(STREAM_HEAD)
    for data in (token("hello"), finish(), DONE, b""):
        peer.send_chunk(data)
    head = client.head()
    assert "transfer-encoding" not in head.headers
    body = client.rest()
    assert body.startswith(b"data: ")
    assert body.endswith(DONE)


def test_absolute_form(rig: Rig) -> None:
    """A request target that is a whole URL means its path here, whatever host it names."""
    client = rig.client()
    client.send(request("GET", "http://elsewhere.test/v1/files?limit=2", None, AUTH))
    peer, asked = rig.asked()
    assert asked.target == "/v1/files?limit=2"
    assert asked.headers["host"] == rig.upstream.url.removeprefix("http://")
    peer.send(reply(200, b"{}"))
    assert client.message().status == 200


@pytest.mark.parametrize(
    "target",
    [
        "/v1/files?after=a%2Fb&q=%20+%C3%A4&&empty=&flag",
        "/v1/files/a%2Fb%3Fc",
        "/v1/files/%E4%BD%A0",
        "/v1/files/..%2f..%2fsecret",
        "/v1/files?x=a;b=c|d'e(f)",
    ],
)
def test_target_is_kept_byte_for_byte(rig: Rig, target: str) -> None:
    """Path and query reach the provider as the client wrote them."""
    client = rig.client()
    client.send(request("GET", target, None, AUTH))
    peer, asked = rig.asked()
    assert asked.target == target
    peer.send(reply(200, b"{}"))
    assert client.message().status == 200


def test_unknown_path_passes_through(rig: Rig) -> None:
    """A path of the API that this gateway has never heard of reaches the provider, counted."""
    with one_call(rig.watcher) as calls:
        client = rig.client()
        body = b'{"whatever": 1}'
        client.send(request("POST", "/v1/brand/new?x=1", body, JSON))
        peer, asked = rig.asked()
        assert (asked.target, asked.body) == ("/v1/brand/new?x=1", body)
        peer.send(reply(201, b'{"made": true}', {"x-of-theirs": "1"}))
        answer = client.message()
        assert answer.status == 201
        assert answer.json == {"made": True}
        assert answer.headers["x-of-theirs"] == "1"
    assert calls[0].key == "dev"
    assert calls[0].status == 201
    client.send(request("POST", "/v1/brand/new", body))
    assert client.message().status == 401


def test_hop_by_hop_headers_stay_on_their_hop(rig: Rig) -> None:
    """What is about a connection is not passed on, in either direction."""
    client = rig.client()
    hops = {
        "connection": "keep-alive, x-private",
        "x-private": "1",
        "keep-alive": "timeout=9",
        "te": "trailers",
        "proxy-authorization": "Basic abc",
        "proxy-connection": "keep-alive",
        "x-kept": "yes",
    }
    client.send(request("POST", CHAT, chat(), {**JSON, **hops}))
    peer, asked = rig.asked()
    assert asked.headers["x-kept"] == "yes"
    assert not set(asked.headers) & (set(hops) - {"x-kept"})
    theirs = {
        "connection": "x-own",
        "x-own": "1",
        "keep-alive": "timeout=9",
        "proxy-authenticate": "Basic",
        "x-passed": "yes",
    }
    peer.send(reply(200, completion(), theirs))
    answer = client.message()
    assert answer.headers["x-passed"] == "yes"
    assert not set(answer.headers) & (set(theirs) - {"x-passed"})


def test_provider_cannot_write_our_reply(rig: Rig) -> None:
    """A header of the provider that would end ours is left out."""
    client = rig.post(chat())
    peer, _ = rig.asked()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-evil: a\x00b\r\n"
    body = completion()
    peer.send(head, b"content-length: %d\r\n\r\n" % len(body), body)
    answer = client.message()
    assert "x-evil" not in answer.headers


@pytest.mark.parametrize("model", ["a\r\nset-cookie: b", "a\nb", "\x00", "gpt-\u00e4-\u4f60"])
def test_client_cannot_write_our_reply(rig: Rig, model: str) -> None:
    """Neither can a client by the model that it names, which is told in a header."""
    client = rig.post(chat(model))
    peer, asked = rig.asked()
    assert asked.json["model"] == model
    assert "set-cookie" not in asked.headers
    peer.send(reply(200, completion()))
    answer = client.message()
    assert answer.status == 200
    assert "set-cookie" not in answer.headers
    assert ("x-llmitm-target" in answer.headers) == (model[0] == "g")


def test_request_id(rig: Rig) -> None:
    """Every reply has an id, the same as the record's; the client's own goes nowhere."""
    with one_call(rig.watcher) as calls:
        client = rig.post(chat(), **{"x-request-id": "mine"})
        peer, asked = rig.asked()
        assert "x-request-id" not in asked.headers
        peer.send(reply(200, completion(), {"x-request-id": "theirs"}))
        answer = client.message()
    assert answer.headers["x-request-id"] == calls[0].request_id


def test_client_key_is_not_in_the_request(rig: Rig) -> None:
    """Nothing of the client's credential is sent on."""
    client = rig.post(chat(), **{"x-api-key": KEY, "api-key": KEY, "cookie": f"k={KEY}"})
    peer, asked = rig.asked()
    assert KEY not in json.dumps(asked.headers)
    peer.send(reply(200, completion()))
    assert client.message().status == 200
