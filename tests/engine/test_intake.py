"""Request bodies on their way in: encoded, too long, too slow, streamed."""

from __future__ import annotations

import gzip
import json
import zlib

import brotli
import pytest
import zstandard

from tests.support.calls import one_call
from tests.support.rig import AUTH, CHAT, JSON, Rig
from tests.support.wire import Peer, chat, completion, reply, request

ENCODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
    "identity": bytes,
    "gzip, br": lambda body: brotli.compress(gzip.compress(body)),
}
BINARY = {**AUTH, "content-type": "application/octet-stream"}
TRANSCRIBE = "/v1/audio/transcriptions"
FORM = "multipart/form-data; boundary=b0und"


def form(*fields: tuple[str, bytes]) -> bytes:
    parts = (
        b'--b0und\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (n.encode(), value)
        for n, value in fields
    )
    return b"".join(parts) + b"--b0und--\r\n"


@pytest.mark.parametrize("encoding", ENCODERS)
def test_encoded_bodies(rig: Rig, encoding: str) -> None:
    """An encoded body is decoded, and reaches the provider plain."""
    client = rig.post(ENCODERS[encoding](chat()), **{"content-encoding": encoding})
    peer, asked = rig.asked()
    assert asked.json == json.loads(chat())
    assert "content-encoding" not in asked.headers
    peer.send(reply(200, completion()))
    assert client.message().status == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_decompression_bomb(rig: Rig, encoding: str) -> None:
    """A body that unpacks to more than the limit is too large, however small it came."""
    bomb = ENCODERS[encoding](b'{"a": "' + bytes(20_000_000) + b'"}')
    assert len(bomb) < 100_000
    client = rig.post(bomb, **{"content-encoding": encoding})
    answer = client.message()
    assert answer.status == 413
    assert answer.json["error"]["code"] == "request_too_large"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b"not gzip"),
        ("gzip", gzip.compress(chat())[:-9]),
        ("br", b"not brotli"),
        ("zstd", b"not zstd"),
        ("zstd", zstandard.compress(chat())[:-5]),
        ("compress", chat()),
        ("gzip, gzip, gzip, gzip, gzip, gzip", b"\x1f\x8b"),
    ],
    # A packed body has the time in it, and names must be the same in every process.
    ids=["gzip", "short gzip", "br", "zstd", "short zstd", "unknown", "many"],
)
def test_broken_encodings(rig: Rig, encoding: str, body: bytes) -> None:
    """A body that isn't what it says it is, or in no known encoding, is a 400."""
    assert rig.post(body, **{"content-encoding": encoding}).message().status == 400


def test_too_large_by_its_length(rig: Rig) -> None:
    """A length above the limit is refused before the body is read."""
    client = rig.client()
    client.send(request("POST", CHAT, None, {**JSON, "content-length": "100001"}))
    answer = client.message()
    assert answer.status == 413
    assert "http.max_body" in answer.json["error"]["message"]


def test_too_large_without_a_length(rig: Rig) -> None:
    """A chunked body is refused as soon as it is longer than the limit, not at its end."""
    client = rig.client()
    client.send(request("POST", CHAT, None, {**JSON, "transfer-encoding": "chunked"}))
    for _ in range(11):
        client.send_chunk(bytes(10_000))
    assert client.message().status == 413


def test_largest_body(rig: Rig) -> None:
    """A body just at the limit is taken."""
    body = chat(user="a" * (100_000 - len(chat(user=""))))
    assert len(body) == 100_000
    client = rig.post(body)
    peer, asked = rig.asked()
    assert asked.json == json.loads(body)
    peer.send(reply(200, completion()))
    assert client.message().status == 200


def uploaded(rig: Rig, client: Peer, body: bytes) -> None:
    """Plays the provider for a body that must come in whole."""
    peer, asked = rig.asked()
    assert asked.body == body
    peer.send(reply(200, b'{"ok": true}'))
    assert client.message().json == {"ok": True}


@pytest.mark.parametrize("size", [0, 19_999, 20_001, 300_000])
def test_upload(rig: Rig, size: int) -> None:
    """What isn't JSON may be longer than the limit, and arrives as it was sent."""
    body = bytes(range(256)) * (size // 256 + 1)
    client = rig.client()
    client.send(request("POST", "/v1/uploads/1/parts", body[:size], BINARY))
    uploaded(rig, client, body[:size])


def test_upload_keeps_its_length(rig: Rig) -> None:
    """A streamed body is announced by its length where the client told it, else in chunks."""
    client = rig.client()
    client.send(request("POST", "/v1/uploads/1/parts", bytes(50_000), BINARY))
    peer, asked = rig.asked()
    assert asked.headers["content-length"] == "50000"
    peer.send(reply(200, b"{}"))
    assert client.message().status == 200
    client.send(
        request("POST", "/v1/uploads/1/parts", None, {**BINARY, "transfer-encoding": "chunked"})
    )
    for size in (30_000, 10_000, 0):
        client.send_chunk(bytes(size))
    peer, asked = rig.asked()
    assert asked.headers["transfer-encoding"] == "chunked"
    assert asked.body == bytes(40_000)
    peer.send(reply(200, b"{}"))
    assert client.message().status == 200


def test_upload_streams(rig: Rig) -> None:
    """The provider has the first part before the client has sent the last."""
    client = rig.client()
    client.send(request("PUT", "/v1/uploads/1", None, {**BINARY, "content-length": "60000"}))
    client.send(b"a" * 30_000)
    peer = rig.accept()
    asked = peer.head()
    assert peer.exactly(30_000) == b"a" * 30_000
    client.send(b"b" * 30_000)
    assert peer.exactly(30_000) == b"b" * 30_000
    assert asked.method == "PUT"
    peer.send(reply(200, b"{}"))
    assert client.message().status == 200


def test_upload_refused_early(rig: Rig) -> None:
    """A provider that refuses an upload half-way is heard at once, and the rest goes nowhere."""
    client = rig.client()
    client.send(request("PUT", "/v1/uploads/1", None, {**BINARY, "content-length": "60000"}))
    client.send(bytes(30_000))
    peer = rig.accept()
    peer.head()
    peer.send(reply(400, b'{"error": {"message": "no such upload"}}'))
    answer = client.message()
    assert answer.status == 400
    assert answer.json["error"]["message"] == "no such upload"
    assert answer.headers["connection"] == "close"
    peer.rest()


@pytest.mark.parametrize("padding", [10, 50_000], ids=["short", "streamed"])
def test_form_is_routed_by_its_model(rig: Rig, padding: int) -> None:
    """The model of a form is what the call is counted under, and arrives with all the rest."""
    body = form(("model", b"whisper-1"), ("file", bytes(padding)))
    with one_call(rig.watcher) as calls:
        client = rig.client()
        client.send(request("POST", TRANSCRIBE, body, {**AUTH, "content-type": FORM}))
        uploaded(rig, client, body)
    assert calls[0].model == "whisper-1"


def test_form_whose_model_comes_last(rig: Rig) -> None:
    """A form is held until its model is known, as far as bodies are held at all."""
    body = form(("file", bytes(50_000)), ("model", b"whisper-1"))
    with one_call(rig.watcher) as calls:
        client = rig.client()
        client.send(request("POST", TRANSCRIBE, body, {**AUTH, "content-type": FORM}))
        uploaded(rig, client, body)
    assert calls[0].model == "whisper-1"
    client.send(
        request("POST", TRANSCRIBE, form(("file", bytes(100_000))), {**AUTH, "content-type": FORM})
    )
    assert client.message().status == 413


@pytest.mark.parametrize(
    "body",
    [
        form(("model", b"a"), ("model", b"b")),
        form(("model", b"a" * 1000)),
        form(("file", b"x")),
        b"preamble\r\n" + form(("model", b"a")),
        form(("model", b"a")).replace(b"\r\n", b"\n"),
        b"",
    ],
    ids=["two models", "long model", "no model", "preamble", "bare LF", "empty"],
)
def test_broken_forms(rig: Rig, body: bytes) -> None:
    """A form whose model is missing, or in doubt, is a 400 and asks no provider."""
    client = rig.client()
    client.send(request("POST", TRANSCRIBE, body, {**AUTH, "content-type": FORM}))
    assert client.message().status == 400


def test_second_model_in_a_streamed_form(rig: Rig) -> None:
    """A form that names another model once the first part is on its way is broken off."""
    body = form(("model", b"a"), ("file", bytes(500_000)), ("model", b"b"))
    client = rig.client()
    client.send(request("POST", TRANSCRIBE, body, {**AUTH, "content-type": FORM}))
    peer = rig.accept()
    peer.head()
    answer = client.message()
    assert answer.status == 400
    assert "two models" in answer.json["error"]["message"]
    assert b"--b0und--" not in peer.rest()


def test_broken_chunks(rig: Rig) -> None:
    """A body whose chunks break off into nonsense is a 400 at once, and nothing is sent on."""
    client = rig.client()
    client.send(request("POST", CHAT, None, {**JSON, "transfer-encoding": "chunked"}))
    client.send_chunk(chat()[:10])
    client.send(b"nonsense\r\n")
    answer = client.message()
    assert answer.status == 400
    assert answer.headers["connection"] == "close"
    assert client.closed()


@pytest.mark.parametrize("body", [b"", b"[]", b"3", b'"text"', b"null", b"\xff\xfe", b"{'a': 1}"])
def test_not_a_json_object(rig: Rig, body: bytes) -> None:
    """What a model is asked must be a JSON object."""
    assert rig.post(body).message().status == 400


def test_deep_json(rig: Rig) -> None:
    """JSON that is nested without end is a 400, no crash."""
    answer = rig.post(b'{"model": ' + b"[" * 50_000).message()
    assert answer.status == 400


@pytest.mark.parametrize("field", ["Model", "MODEL", "\u017ftream"])
def test_field_in_another_case(rig: Rig, field: str) -> None:
    """A provider that doesn't mind the case of a key can't be told another model than we are."""
    answer = rig.post(chat("allowed", **{field: "forbidden"})).message()
    assert answer.status == 400
    assert answer.json["error"]["param"] == field


def test_two_models_in_json(rig: Rig) -> None:
    """Of a key given twice the provider gets the one that the call was judged by."""
    client = rig.post(b'{"model": "a", "messages": [], "model": "b"}')
    peer, asked = rig.asked()
    assert asked.body.count(b'"model"') == 1
    assert json.loads(asked.body)["model"] == "b"
    peer.send(reply(200, completion()))
    assert client.message().status == 200
