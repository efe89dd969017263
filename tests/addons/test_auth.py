"""Who calls: every way to present a key, and what is refused."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http

from addons.auth import ANONYMOUS, Auth, is_foreign, take_key
from llmitm.call import call_of
from llmitm.errors import Cause, GatewayError
from tests.support.gateway import KEY
from tests.support.stage import Stage, flow_of

HASHED = "sha256:" + hashlib.sha256(b"sk-hashed").hexdigest()
KEYS = {
    "teams": [{"id": "research"}],
    "users": [{"id": "ava", "team": "research"}],
    "keys": [
        {"id": "dev", "key": KEY, "user": "ava"},
        {"id": "hashed", "key": HASHED},
        {"id": "old", "key": "sk-old", "expires": "2020-01-01"},
        {"id": "off", "key": "sk-off", "enabled": False},
    ],
}


@pytest.fixture
def auth(stage: Stage) -> Auth:
    stage.configure({"keys": KEYS})
    return Auth()


def ask(auth: Auth, headers: dict[str, str], path: str = "/v1/chat/completions") -> http.HTTPFlow:
    flow = flow_of(path, headers=headers)
    auth.requestheaders(flow)
    return flow


def refusal(auth: Auth, headers: dict[str, str], path: str = "/v1/chat/completions") -> str:
    with pytest.raises(GatewayError) as caught:
        ask(auth, headers, path)
    assert caught.value.cause is Cause.AUTHENTICATION
    return caught.value.message


WAYS = [
    {"authorization": f"Bearer {KEY}"},
    {"authorization": f"bearer   {KEY} "},
    {"Authorization": KEY},
    {"x-api-key": KEY},
    {"X-Api-Key": f"Bearer {KEY}"},
    {"api-key": KEY},
    {"x-goog-api-key": KEY},
    {"authorization": "", "x-api-key": KEY},
]


@pytest.mark.parametrize("headers", WAYS)
def test_headers(auth: Auth, headers: dict[str, str]) -> None:
    """Each SDK's header presents the key, which leaves the flow."""
    flow = ask(auth, headers)
    who = call_of(flow).principal
    assert who is not None
    assert (who.key, who.user, who.team) == ("dev", "ava", "research")
    assert not [name for name in flow.request.headers if name.lower() in headers]
    assert KEY not in str(flow.get_state())


@pytest.mark.parametrize("query", [f"key={KEY}", f"alt=sse&key={KEY}", f"key={KEY}&alt=sse"])
def test_query(auth: Auth, query: str) -> None:
    """Google's `?key=` presents it too, and leaves the rest of the query."""
    flow = ask(auth, {}, f"/v1/models?{query}")
    who = call_of(flow).principal
    assert who is not None and who.key == "dev"
    assert KEY not in flow.request.path
    assert flow.request.query.get("alt") == ("sse" if "alt" in query else None)


def test_first_header_counts(auth: Auth) -> None:
    """Of two keys the first in the documented order counts, and both leave the flow."""
    flow = ask(auth, {"x-api-key": "sk-other", "authorization": f"Bearer {KEY}"})
    who = call_of(flow).principal
    assert who is not None and who.key == "dev"
    assert not {"x-api-key", "authorization"} & set(flow.request.headers)


def test_a_digest_is_enough(auth: Auth) -> None:
    """A key that the policies know by its SHA-256 only opens the door; its digest does not."""
    who = call_of(ask(auth, {"x-api-key": "sk-hashed"})).principal
    assert who is not None and who.key == "hashed"
    assert "Incorrect" in refusal(auth, {"x-api-key": HASHED})


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, "No API key"),
        ({"authorization": ""}, "No API key"),
        ({"authorization": "Bearer "}, "Incorrect"),
        ({"authorization": "Basic c2s6"}, "Incorrect"),
        ({"authorization": f"Bearer {KEY}x"}, "Incorrect"),
        ({"authorization": f"Bearer {KEY.upper()}"}, "Incorrect"),
        ({"x-api-key": "sk-old"}, "expired"),
        ({"x-api-key": "sk-off"}, "Incorrect"),
    ],
)
def test_refused(auth: Auth, headers: dict[str, str], said: str) -> None:
    """Wrong, missing, expired and disabled keys are refused, and never repeated."""
    message = refusal(auth, headers)
    assert said in message
    assert not any(value in message for value in headers.values() if len(value) > 6)


@given(st.binary(min_size=1, max_size=40).filter(lambda b: b != KEY.encode()))
def test_any_bytes(value: bytes) -> None:
    """Whatever bytes a header has, they are a key or none; nothing raises."""
    headers = http.Headers([(b"authorization", value)])
    taken = take_key(headers)
    assert taken is None or isinstance(taken, bytes)
    assert not headers.fields


def test_bytes_in_the_query(auth: Auth) -> None:
    """A query that is no UTF-8 is a wrong key."""
    assert "Incorrect" in refusal(auth, {}, "/v1/models?key=%ff%fe")


def test_anonymous(auth: Auth, stage: Stage) -> None:
    """Where it is allowed no key is needed; a known one still counts, an expired one is told."""
    stage.configure({"keys": KEYS}, {"auth": "anonymous"})
    assert call_of(ask(auth, {})).principal is ANONYMOUS
    assert call_of(ask(auth, {"x-api-key": "ollama"})).principal is ANONYMOUS
    who = call_of(ask(auth, {"x-api-key": KEY})).principal
    assert who is not None and who.key == "dev"
    assert "expired" in refusal(auth, {"x-api-key": "sk-old"})


@pytest.mark.parametrize("path", ["/"])
def test_open_paths(auth: Auth, path: str) -> None:
    """Anyone may see that a server is there."""
    flow = flow_of(path, method="GET")
    auth.requestheaders(flow)
    assert call_of(flow).principal is ANONYMOUS


def test_answered_flows_pass(auth: Auth) -> None:
    """What another addon has answered needs no key."""
    flow = flow_of(headers={"x-api-key": "sk-wrong"})
    flow.response = http.Response.make(200)
    auth.requestheaders(flow)
    assert call_of(flow).principal is None


ORIGINS: list[tuple[str | None, bool]] = [
    (None, False),
    ("http://localhost:3000", False),
    ("http://127.0.0.1", False),
    ("http://[::1]:8080", False),
    ("vscode-webview://abc", False),
    ("tauri://localhost", False),
    ("https://example.com", True),
    ("http://localhost.example.com", True),
    ("http://127.0.0.1.example.com", True),
    ("null", True),
    ("http://[bad", True),
]


@pytest.mark.parametrize(("origin", "foreign"), ORIGINS)
def test_web_pages(auth: Auth, stage: Stage, origin: str | None, foreign: bool) -> None:
    """Without keys a page of a web site is refused, whose requests browsers send to loopback."""
    assert is_foreign(origin) is foreign
    stage.configure(settings={"auth": "anonymous"})
    headers: dict[str, Any] = {} if origin is None else {"origin": origin}
    if foreign:
        assert "web page" in refusal(auth, headers)
    else:
        assert call_of(ask(auth, headers)).principal is ANONYMOUS


def test_web_pages_with_a_key(auth: Auth) -> None:
    """With a key a page may call: who wrote it was given the key."""
    flow = ask(auth, {"origin": "https://example.com", "x-api-key": KEY})
    who = call_of(flow).principal
    assert who is not None and who.key == "dev"
