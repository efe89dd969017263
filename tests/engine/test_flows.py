"""Flows made from request heads."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from llmitm.call import call_of
from llmitm.engine.flows import make_client, make_flow, origin_form

CONN = SimpleNamespace(peername=("10.1.2.3", 5), sockname=("127.0.0.1", 4000), ssl_context=None)


def message(method: str, path: str, **headers: str) -> SimpleNamespace:
    raw = tuple((k.encode(), v.encode()) for k, v in headers.items())
    return SimpleNamespace(method=method, path=path, headers=headers, raw_headers=raw)


def test_flow() -> None:
    """A flow has the client, the request as it came, and a call that knows what is asked."""
    client = make_client(CONN)
    flow = make_flow(client, message("POST", "/openai/v1/chat/completions?a=%2F", accept="x"))
    assert flow.request.path == "/openai/v1/chat/completions?a=%2F"
    assert flow.request.headers["accept"] == "x"
    assert flow.client_conn.peername == ("10.1.2.3", 5)
    call = call_of(flow)
    assert (call.dialect, call.operation) == ("openai", "chat")
    assert call.path == "/v1/chat/completions"
    assert call.client == "10.1.2.3"
    assert call.request_id != call_of(make_flow(client, message("GET", "/"))).request_id


def test_flow_can_be_saved() -> None:
    """A flow is mitmproxy's own: its state is plain data."""
    flow = make_flow(make_client(CONN), message("GET", "/v1/models"))
    assert flow.get_state()["request"]["path"] == b"/v1/models"


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/v1/models", "/v1/models"),
        ("/a?b#c", "/a?b"),
        ("//evil.test/x", "//evil.test/x"),
        ("http://other.test/v1/models?x=1", "/v1/models?x=1"),
        ("http://other.test", "/"),
        ("https://other.test?x", "/?x"),
        ("*", "/"),
        ("host:443", "/"),
        ("", "/"),
    ],
)
def test_origin_form(target: str, path: str) -> None:
    """Every request target is brought to a path and a query."""
    assert origin_form(target) == path
