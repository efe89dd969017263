import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.dialects import error_event, error_message
from llmitm.dialects.faults import responses_error
from llmitm.errors import Cause, GatewayError

BODIES = [
    (
        {
            "error": {
                "message": "Bad key",
                "type": "invalid_request_error",
                "param": None,
                "code": "invalid_api_key",
            }
        },
        ("Bad key", "invalid_api_key", "invalid_request_error"),
    ),
    (
        {
            "type": "error",
            "error": {"type": "overloaded_error", "message": "Overloaded"},
            "request_id": "r",
        },
        ("Overloaded", None, "overloaded_error"),
    ),
    ({"error": "model 'x' not found"}, ("model 'x' not found", None, None)),
    (
        {"error": "no_such_model", "message": "There is no model x"},
        ("There is no model x", None, None),
    ),
    (
        [{"error": {"code": 429, "message": "Slow down", "status": "RESOURCE_EXHAUSTED"}}],
        ("Slow down", "429", "RESOURCE_EXHAUSTED"),
    ),
    (
        {"object": "error", "message": "Too long", "type": "BadRequestError", "code": 400},
        ("Too long", "400", "BadRequestError"),
    ),
    (
        {"type": "error", "code": "server_error", "message": "Broken", "sequence_number": 1},
        ("Broken", "server_error", "error"),
    ),
    ({"detail": "Not Found"}, ("Not Found", None, None)),
    (
        {"detail": [{"loc": ["body"], "msg": "field required"}, {"msg": "too short"}]},
        ("field required; too short", None, None),
    ),
    ({"message": "Unauthorized"}, ("Unauthorized", None, None)),
    ({"error": {}}, (None, None, None)),
    ({"error": {"message": ["x"], "code": True, "type": {}}}, (None, None, None)),
    ({}, (None, None, None)),
    ([], (None, None, None)),
]


@pytest.mark.parametrize(("body", "fault"), BODIES)
def test_reads_the_errors_of_every_provider(body, fault):
    """Message, code and type are found in each of the shapes in use."""
    assert error_message("openai", json.dumps(body).encode()) == fault
    if isinstance(body, dict):
        assert error_message("openai", body) == fault


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"upstream connect error", "upstream connect error"),
        (b'"quoted"', "quoted"),
        (b"", None),
        (b"   ", None),
        (b"<html><body>502 Bad Gateway</body></html>", None),
        (b"\n<!DOCTYPE html>\n<p>no</p>", None),
        (b'{"error": {"message": "Traceback (most recent call last): ..."}}', None),
        (b"\x1f\x8b\x08\x00\x00", None),
        (b"\xff\xfe\xfd and more", None),
        ("é".encode() * 5000, "é" * 2000),
        (b"[" * 100_000, "[" * 2000),
        (b"null", None),
        (b"7", None),
    ],
)
def test_bodies_that_are_no_json_object(body, message):
    """Plain text is a message; pages, stack traces and binary are not, and none is long."""
    assert error_message("openai", body) == (message, None, None)


names = st.sampled_from(["error", "message", "code", "type", "detail", "msg", "status"])
anything = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
)


@given(st.binary() | anything)
def test_any_body_is_read(body):
    """Whatever a provider answers, reading it does not fail."""
    assert all(part is None or isinstance(part, str) for part in error_message("openai", body))


ERROR = GatewayError(Cause.STREAM_CUT, "the provider broke off")

EVENTS = [
    (
        "openai",
        "chat",
        b"data: ",
        {
            "error": {
                "message": "the provider broke off",
                "type": "server_error",
                "param": None,
                "code": "stream_cut",
            }
        },
    ),
    (
        "openai",
        "images",
        b"data: ",
        {
            "error": {
                "message": "the provider broke off",
                "type": "server_error",
                "param": None,
                "code": "stream_cut",
            }
        },
    ),
    (
        "openai",
        "responses",
        b"event: error\ndata: ",
        {
            "type": "error",
            "code": "stream_cut",
            "message": "the provider broke off",
            "param": None,
            "sequence_number": 0,
        },
    ),
    (
        "anthropic",
        "messages",
        b"event: error\ndata: ",
        {
            "type": "error",
            "error": {"type": "api_error", "message": "the provider broke off"},
            "request_id": "r1",
        },
    ),
    ("ollama", "chat", b"", {"error": "the provider broke off"}),
]


@pytest.mark.parametrize(("dialect", "operation", "head", "body"), EVENTS)
def test_an_error_in_the_clients_dialect(dialect, operation, head, body):
    """Each dialect has its own form for an answer that failed half-way."""
    raw = error_event(ERROR, dialect, operation, "r1")
    assert raw.startswith(head + b"{")
    assert json.loads(raw.removeprefix(head)) == body
    assert raw.endswith(b"}\n" if dialect == "ollama" else b"}\n\n")


def test_a_flat_error_always_has_a_code():
    """A cause without a code of its own gives its type."""
    raw = error_event(GatewayError(Cause.INVALID_REQUEST, "no"), "openai", "responses")
    assert b'"code":"invalid_request_error"' in raw


def test_a_flat_error_has_a_number():
    """Every event of a response is numbered, the last too."""
    raw = responses_error({"error": {"code": "c", "type": "t", "message": "m", "param": None}}, 7)
    assert b'"sequence_number":7' in raw
