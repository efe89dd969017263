"""What a key may ask for: models, managing them, and requests that hide what they ask."""

from __future__ import annotations

import json
from typing import Any

import pytest

from addons.access import Access
from llmitm.call import call_of
from llmitm.errors import Cause, GatewayError
from tests.support.stage import Stage, flow_of

CHAT, MESSAGES, OLLAMA = "/v1/chat/completions", "/v1/messages", "/api/chat"
KEYS = {
    "keys": [
        {"id": "dev", "key": "sk-dev", "models": ["gpt-*", "local"]},
        {"id": "all", "key": "sk-all"},
        {"id": "capped", "key": "sk-1", "params": {"max_tokens": {"max": 100, "default": 50}}},
        {"id": "ops", "key": "sk-2", "models": ["local*"], "manage_models": True},
    ]
}
ACCESS = {
    "models": [
        {"model": "strict", "params": {"temperature": {"max": 0.5}, "max_tokens": {"max": 70}}},
        {"model": "*", "params": {"temperature": {"max": 1}}},
    ]
}


@pytest.fixture
def access(stage: Stage) -> Access:
    stage.configure({"keys": KEYS, "access": ACCESS})
    return Access()


def ask(
    access: Access, stage: Stage, body: Any, path: str = CHAT, key: str = "all", **more: Any
) -> dict[str, Any]:
    """The request's body as it goes on."""
    flow = flow_of(path, body, who=stage.key(key), **more)
    access.request(flow)
    found: dict[str, Any] = json.loads(flow.request.content or b"{}")
    return found


def refused(*args: Any, **kwargs: Any) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        ask(*args, **kwargs)
    return caught.value


@pytest.mark.parametrize(
    ("key", "model", "allowed"),
    [
        ("dev", "gpt-4o", True),
        ("dev", "local", True),
        ("dev", "local-2", False),
        ("dev", "claude-3", False),
        ("dev", "GPT-4o", False),
        ("all", "anything", True),
    ],
)
def test_models(access: Access, stage: Stage, key: str, model: str, allowed: bool) -> None:
    """A key may use the models that its list matches."""
    if allowed:
        assert ask(access, stage, {"model": model}, key=key)["model"] == model
    else:
        assert refused(access, stage, {"model": model}, key=key).cause is Cause.PERMISSION


@pytest.mark.parametrize("path", [CHAT, MESSAGES, OLLAMA, "/v1/embeddings", "/v1/responses"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"model": "x"',
        b'"text"',
        b'{"model": "\xff"}',
        {"messages": []},
        {"model": 5},
    ],
)
def test_needs_a_model(access: Access, stage: Stage, path: str, body: Any) -> None:
    """A body that is no JSON object, or names no model, is invalid."""
    assert refused(access, stage, body, path).cause is Cause.INVALID_REQUEST


def test_long_names(access: Access, stage: Stage) -> None:
    """A model's name that would fill the logs is invalid."""
    error = refused(access, stage, {"model": "x" * 257})
    assert (error.cause, error.param) == (Cause.INVALID_REQUEST, "model")


DISGUISES: list[dict[str, Any]] = [
    {"Model": "x"},
    {"MESSAGES": []},
    {"Stream": True},
    {"Max_Tokens": 99999},
    {"max_toKens": 99999},  # a Kelvin sign, which folds to k
    {"maX_Completion_Tokens": 99999},
    {"Temperature": 2},
]


@pytest.mark.parametrize("fields", DISGUISES)
def test_disguises(access: Access, stage: Stage, fields: dict[str, Any]) -> None:
    """A field that some providers read whatever its case can't go past what judges it."""
    error = refused(access, stage, {"model": "gpt", **fields}, key="capped")
    assert (error.cause, error.param) == (Cause.INVALID_REQUEST, next(iter(fields)))


def test_other_fields_may_be_spelled_as_they_like(access: Access, stage: Stage) -> None:
    """What nobody judges goes through."""
    assert ask(access, stage, {"model": "gpt", "topK": 4, "x-Ünï": 1})["topK"] == 4


@pytest.mark.parametrize(
    ("path", "body", "streams"),
    [
        (CHAT, {}, False),
        (CHAT, {"stream": True}, True),
        (CHAT, {"stream": 1}, False),
        (MESSAGES, {"stream": True}, True),
        (OLLAMA, {}, True),
        (OLLAMA, {"stream": False}, False),
        ("/api/generate", {}, True),
        ("/api/embed", {}, False),
    ],
)
def test_stream(
    access: Access, stage: Stage, path: str, body: dict[str, Any], streams: bool
) -> None:
    """Ollama streams unless told not to, the others where they are told to."""
    flow = flow_of(path, {"model": "m", **body}, who=stage.key("all"))
    access.request(flow)
    assert call_of(flow).stream is streams


def test_caps(access: Access, stage: Stage) -> None:
    """Both everyone's rules for the model and the key's own hold, the narrower one of each."""
    asked = {"max_tokens": 500, "temperature": 2}
    assert ask(access, stage, {"model": "m", **asked})["temperature"] == 1
    assert ask(access, stage, {"model": "m", **asked})["max_tokens"] == 500
    both = ask(access, stage, {"model": "strict", **asked}, key="capped")
    assert (both["max_tokens"], both["temperature"]) == (70, 0.5)
    own = ask(access, stage, {"model": "m", **asked}, key="capped")
    assert (own["max_tokens"], own["temperature"]) == (100, 1)


def test_defaults(access: Access, stage: Stage) -> None:
    """A parameter that the client leaves out gets its default, where the call writes text."""
    assert ask(access, stage, {"model": "m"}, key="capped")["max_completion_tokens"] == 50
    assert ask(access, stage, {"model": "m"}, OLLAMA, "capped")["options"] == {"num_predict": 50}
    embedding = ask(access, stage, {"model": "m", "input": "x"}, "/v1/embeddings", "capped")
    assert embedding == {"model": "m", "input": "x"}


def test_rules_hold_for_anonymous_calls(access: Access, stage: Stage) -> None:
    """Rules for everyone need no key."""
    flow = flow_of(CHAT, {"model": "m", "temperature": 2})
    access.request(flow)
    assert json.loads(flow.request.content or b"")["temperature"] == 1


def test_rules_follow_the_policies(access: Access, stage: Stage) -> None:
    """After an edit the new rules hold, for keys that stayed the same too."""
    body = {"model": "m", "temperature": 2}
    assert ask(access, stage, body, key="capped")["temperature"] == 1
    edited = {"models": [{"model": "*", "params": {"temperature": {"max": 0.25}}}]}
    stage.configure({"keys": KEYS, "access": edited})
    assert ask(access, stage, body, key="capped")["temperature"] == 0.25


MANAGING = [
    ("POST", "/api/pull", {"model": "local-7b"}),
    ("POST", "/api/push", {"name": "local-7b"}),
    ("POST", "/api/create", {"model": "local-7b", "from": "x"}),
    ("POST", "/api/copy", {"source": "a", "destination": "b"}),
    ("DELETE", "/api/delete", {"model": "local-7b"}),
    ("POST", "/api/blobs/sha256:00", b"bytes"),
    ("HEAD", "/api/blobs/sha256:00", None),
    ("POST", "/api/something-new", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), MANAGING)
def test_managing_models(access: Access, stage: Stage, method: str, path: str, body: Any) -> None:
    """Only a key with manage_models changes the models of an Ollama server."""
    for key in ("dev", "all"):
        with pytest.raises(GatewayError) as caught:
            access.request(flow_of(path, body, method=method, who=stage.key(key)))
        assert caught.value.cause is Cause.PERMISSION
    access.request(flow_of(path, body, method=method, who=stage.key("ops")))
    access.request(flow_of(path, body, method=method))  # anonymous: the machine's own user


def test_managing_other_models(access: Access, stage: Stage) -> None:
    """A key that may manage models may do so with its own models only."""
    flow = flow_of("/api/pull", {"model": "gpt-oss"}, who=stage.key("ops"))
    with pytest.raises(GatewayError) as caught:
        access.request(flow)
    assert caught.value.cause is Cause.PERMISSION


def test_answered_flows_pass(access: Access, stage: Stage) -> None:
    """What has its answer already isn't judged."""
    from mitmproxy import http

    flow = flow_of(CHAT, b"{", who=stage.key("dev"))
    flow.response = http.Response.make(200)
    access.request(flow)
