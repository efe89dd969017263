"""What leaves for a provider: url, headers, body."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mitmproxy import http

from llmitm.call import Attempt, Call
from llmitm.config.schema import Provider
from llmitm.dialects.sealed_thoughts import thought_id
from llmitm.dialects.translation import Translation
from llmitm.engine.outgoing import prepare
from llmitm.errors import GatewayError
from llmitm.metrics import Metrics
from llmitm.targets import Targets
from tests.support.configured import gateway_of
from tests.support.fed import attempt
from tests.support.inspected import CHAT, call_flow

CHAT_PATH = "/v1/chat/completions"
MESSAGES = {**CHAT, "max_tokens": 9}


def asked(path: str = CHAT_PATH, body: Any = CHAT, **headers: str) -> tuple[http.HTTPFlow, Call]:
    """A flow whose model and stream are known, as they are after the `request` hook."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    flow, call = call_flow(body, path, named)
    given = call.body(flow) or {}
    call.model, call.stream = given.get("model"), given.get("stream") is True
    return flow, call


def send(
    flow: http.HTTPFlow,
    call: Call,
    api: str = "openai",
    base_url: str | None = None,
    model: str | None = None,
    body: dict[str, Any] | None = None,
) -> tuple[Attempt, Translation | None]:
    """The attempt at a provider with this configuration."""
    provider = {"api": api} if base_url is None else {"api": api, "base_url": base_url}
    gateway = gateway_of({"p": provider})
    made = attempt(model or call.model or "*")
    base = Targets(gateway, Metrics()).base_url("p")
    return made, prepare(flow, call, made, gateway.providers["p"], base, body)


@pytest.mark.parametrize(
    ("api", "base_url", "path", "url"),
    [
        ("openai", None, CHAT_PATH, "https://api.openai.com/v1/chat/completions"),
        ("openai", "http://h:1/v1", CHAT_PATH, "http://h:1/v1/chat/completions"),
        ("openai", "http://h:1/v1/", CHAT_PATH, "http://h:1/v1/chat/completions"),
        ("openai", "http://h/openai/v2", CHAT_PATH, "http://h/openai/v2/chat/completions"),
        ("openai", "http://h/v1", "/openai" + CHAT_PATH, "http://h/v1/chat/completions"),
        ("openai", "http://h/v1", "/v1/files?limit=2&a=%2F", "http://h/v1/files?limit=2&a=%2F"),
        ("openai", "http://h/v1", "/v1/new?", "http://h/v1/new"),
        (
            "gemini", None, CHAT_PATH,
            "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
        ),
        ("anthropic", None, "/v1/messages?beta=true", "https://api.anthropic.com/v1/messages?beta=true"),
        ("anthropic", "http://h/v1", "/v1/messages", "http://h/v1/messages"),
        ("anthropic", "http://h", "/anthropic/v1/messages", "http://h/v1/messages"),
        ("anthropic", "http://h", CHAT_PATH, "http://h/v1/messages"),
        ("ollama", None, "/api/chat", "http://127.0.0.1:11434/api/chat"),
        ("ollama", "http://h:1/v1", "/api/chat", "http://h:1/api/chat"),
        ("ollama", "http://h:1/v1", CHAT_PATH, "http://h:1/v1/chat/completions"),
        ("ollama", "http://h:1", CHAT_PATH, "http://h:1/v1/chat/completions"),
        ("openai", "http://h/v1", "/api/chat", "http://h/v1/chat/completions"),
        ("simulator", "http://h:1", CHAT_PATH, "http://h:1/v1/chat/completions"),
        ("openai", None, "/v1/responses", "https://api.openai.com/v1/responses"),
        ("anthropic", "http://h", "/v1/responses", "http://h/v1/messages"),
        ("ollama", "http://h:1", "/v1/responses", "http://h:1/v1/responses"),
        ("gemini", "http://h/v1", "/v1/responses", "http://h/v1/chat/completions"),
        ("simulator", "http://h:1", "/api/chat", "http://h:1/api/chat"),
        ("simulator", "http://h:1", "/v1/messages", "http://h:1/v1/messages"),
    ],
)  # fmt: skip
def test_urls(api: str, base_url: str | None, path: str, url: str) -> None:
    """Each API's base URL is written as its own SDK wants it, with or without the version."""
    made, _ = send(*asked(path, {**MESSAGES, "input": "hi"}), api, base_url)
    assert made.url == url


def test_method() -> None:
    """The client's method is the provider's, where nothing is translated."""
    flow, call = asked("/v1/files/f", b"")
    flow.request.method = "DELETE"
    made, _ = send(flow, call)
    assert (made.method, made.body) == ("DELETE", None)


KEPT = {
    "user_agent": "OpenAI/Python", "x_stainless_lang": "python", "anthropic_beta": "x",
    "openai_beta": "assistants=v2", "traceparent": "00-1", "idempotency_key": "1",
}  # fmt: skip
DROPPED = {
    "authorization": "Bearer sk-client", "x_api_key": "sk-client", "api_key": "sk-client",
    "x_goog_api_key": "sk-client", "cookie": "a=b", "proxy_authorization": "Basic x",
    "openai_organization": "org", "openai_project": "proj", "host": "gateway",
    "x_forwarded_for": "10.0.0.1", "forwarded": "for=10.0.0.1", "via": "1.1 x",
    "x_real_ip": "10.0.0.1", "x_request_id": "mine", "expect": "100-continue",
    "connection": "keep-alive, x-hop", "x_hop": "1", "keep_alive": "5", "te": "trailers",
    "trailer": "x", "transfer_encoding": "chunked", "upgrade": "h2c", "content_length": "5",
}  # fmt: skip


def test_headers() -> None:
    """The client's headers go on, but for those that are about it, its key or its connection."""
    made, _ = send(*asked(**KEPT, **DROPPED, accept_encoding="gzip, br"))
    assert made.headers == {
        "content-type": "application/json",
        "accept-encoding": "identity",
        **{name.replace("_", "-"): value for name, value in KEPT.items()},
    }
    assert "sk-client" not in str(made.headers)


def test_header_bytes_are_kept() -> None:
    """A header that isn't ASCII stays what it was."""
    flow, call = asked()
    flow.request.headers.fields += ((b"X-Name", b"\xc3\xa9"),)
    assert send(flow, call)[0].headers["x-name"].encode("latin-1") == b"\xc3\xa9"


@pytest.mark.parametrize(
    ("path", "body", "model", "named"),
    [
        (CHAT_PATH, CHAT, "m2", {"model": "m2"}),
        (CHAT_PATH, CHAT, "gpt-4o", {"model": "gpt-4o"}),
        ("/v1/embeddings", {"model": "e", "input": "x"}, "e2", {"model": "e2"}),
        ("/api/show", {"name": "a"}, "b", {"name": "b"}),
        ("/api/show", {"model": "a", "name": "a"}, "b", {"model": "b", "name": "a"}),
    ],
)
def test_model_is_the_targets(path: str, body: Any, model: str, named: dict[str, str]) -> None:
    """The body names the target's model; everything else is as the client wrote it."""
    flow, call = asked(path, body)
    call.model = call.model or body.get("name")
    made, _ = send(flow, call, "ollama" if path.startswith("/api") else "openai", model=model)
    assert json.loads(made.body) == {**body, **named}
    assert json.loads(flow.request.raw_content or b"") == body


def test_a_key_given_twice() -> None:
    """Of a key given twice the provider sees the one that was judged."""
    made, _ = send(*asked(body=b'{"model": "a", "model": "b", "messages": []}'))
    assert made.body.count(b'"model"') == 1
    assert json.loads(made.body)["model"] == "b"


ASKED = {"include_usage": True}


@pytest.mark.parametrize(
    ("more", "options", "hidden"),
    [
        ({"stream": True}, {"include_usage": True}, True),
        ({"stream": True, "stream_options": {"x": 1}}, {"x": 1, "include_usage": True}, True),
        ({"stream": True, "stream_options": ASKED}, ASKED, False),
        ({"stream": False}, None, False),
        ({}, None, False),
    ],
)  # fmt: skip
def test_usage_is_asked_for(more: dict[str, Any], options: Any, hidden: bool) -> None:
    """A stream has to be asked for its usage; it is hidden again if the client did not ask."""
    flow, call = asked(body={**CHAT, **more})
    made, _ = send(flow, call)
    assert json.loads(made.body).get("stream_options") == options
    assert call.hide_usage is hidden


def test_translated() -> None:
    """In another dialect: its path, its body, no query of the client's, and always JSON."""
    made, translation = send(
        *asked(CHAT_PATH + "?a=b", MESSAGES), "anthropic", "http://h", "claude"
    )
    assert translation is not None
    assert made.url == "http://h/v1/messages"
    body = json.loads(made.body)
    assert (body["model"], body["max_tokens"]) == ("claude", 9)
    assert made.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("api", "url"),
    [
        ("openai", "http://h:1/chat/completions"),
        ("ollama", "http://h:1/v1/chat/completions"),
        ("simulator", "http://h:1/v1/chat/completions"),
    ],
)
def test_a_provider_without_the_responses_api(api: str, url: str) -> None:
    """It is asked by Chat Completions, and what it sends is read as that."""
    flow, call = asked("/v1/responses", {"model": "m", "input": "hi", "stream": True})
    gateway = gateway_of({"p": {"api": api, "base_url": "http://h:1", "responses": False}})
    made = attempt("m")
    translation = prepare(flow, call, made, gateway.providers["p"], "http://h:1")
    assert made.url == url
    assert json.loads(made.body)["messages"] == [{"role": "user", "content": "hi"}]
    assert translation is not None


@pytest.mark.parametrize(
    "path", ["/v1/responses", "/v1/responses/compact", "/v1/responses/input_tokens"]
)
def test_openai_gets_no_thoughts_of_others(path: str) -> None:
    """A conversation in which Claude thought can go on at OpenAI."""
    said = {"role": "user", "content": "hi"}
    ours = {"type": "reasoning", "id": thought_id(), "summary": [], "encrypted_content": None}
    flow, call = asked(path, {"model": "m", "input": [said, ours]})
    assert json.loads(send(flow, call)[0].body)["input"] == [said]


def test_dialects_that_do_not_meet() -> None:
    """What the provider's API can't say is refused before anything is sent."""
    with pytest.raises(GatewayError):
        send(*asked("/v1/embeddings", {"model": "e", "input": "x"}), "anthropic")


def test_a_body_of_its_own() -> None:
    """A resumed stream sends another body than the client's."""
    flow, call = asked()
    other = {"model": "gpt-4o", "messages": [{"role": "assistant", "content": "A"}]}
    assert json.loads(send(flow, call, body=other, model="m")[0].body) == {**other, "model": "m"}


FORM = (
    b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n\x00\xff\r\n--b--\r\n'
)


@pytest.mark.parametrize(
    ("content", "kind", "model", "sent"),
    [
        (FORM, "multipart/form-data; boundary=b", "w2", FORM.replace(b"whisper", b"w2")),
        (FORM, "multipart/form-data; boundary=b", "whisper", FORM),
        (b"\x00\x01", "application/octet-stream", "w2", b"\x00\x01"),
        (b"[1, 2]", "application/json", "w2", b"[1, 2]"),
        (b"", "application/json", "w2", None),
    ],
)
def test_other_bodies(content: bytes, kind: str, model: str, sent: bytes | None) -> None:
    """A body that is no JSON object goes as it is, but for the model in a form."""
    flow, call = asked("/v1/audio/transcriptions", content)
    flow.request.headers["content-type"] = kind
    call.model = "whisper"
    assert send(flow, call, model=model)[0].body == sent


def test_provider_is_whole() -> None:
    """The credential is not put on here: flows and addons before see none."""
    provider = Provider.model_validate({"api": "openai", "api_key": "sk-provider"})
    flow, call = asked()
    made = attempt()
    prepare(flow, call, made, provider, "http://h/v1")
    assert "sk-provider" not in str((made.headers, made.body, made.url))
