"""mitmproxy's messages, built the short way."""

from __future__ import annotations

import pytest
from mitmproxy import http
from mitmproxy.flow import Flow
from mitmproxy.test import tflow

from llmitm.engine import messages

FIELDS = [(b"Content-Type", b"text/plain"), (b"x-a", b"\xff")]


def test_request() -> None:
    """A request has what mitmproxy's own constructor would give it."""
    made = messages.request("127.0.0.1", 4000, b"POST", b"http", b"/v1?a=b", FIELDS)
    own = http.Request(
        "127.0.0.1", 4000, b"POST", b"http", b"", b"/v1?a=b", b"HTTP/1.1", http.Headers(FIELDS),
        b"", None, made.timestamp_start, made.timestamp_end,
    )  # fmt: skip
    assert made.data == own.data
    assert vars(made.data).keys() == vars(own.data).keys()
    assert (made.method, made.path, made.headers["content-type"]) == (
        "POST", "/v1?a=b", "text/plain",
    )  # fmt: skip


@pytest.mark.parametrize("status", [200, 404, 599])
def test_response(status: int) -> None:
    """A response has what mitmproxy's own constructor would give it."""
    made = messages.response(status, FIELDS, b"hello")
    own = http.Response(
        b"HTTP/1.1", status, b"", http.Headers(FIELDS), b"hello", None,
        made.timestamp_start, made.timestamp_end,
    )  # fmt: skip
    assert made.data == own.data
    assert vars(made.data).keys() == vars(own.data).keys()
    assert made.text == "hello"


def test_no_server() -> None:
    """A flow's server side is mitmproxy's for one that is not connected, with an id of its own."""
    made, other = messages.unconnected(), messages.unconnected()
    assert made.id != other.id
    assert (made.address, made.connected, made.tls_established) == (None, False, False)
    assert vars(made).keys() == vars(tflow.tserver_conn()).keys()


def test_they_can_be_saved() -> None:
    """A flow of such messages goes to a file and back."""
    flow = http.HTTPFlow(tflow.tclient_conn(), messages.unconnected())
    flow.request = messages.request("h", 1, b"GET", b"http", b"/", FIELDS)
    flow.response = messages.response(200, FIELDS, b"hello")
    again = Flow.from_state(flow.get_state())
    assert isinstance(again, http.HTTPFlow)
    assert again.response is not None
    assert (again.request.path, again.response.content) == ("/", b"hello")
    again.response.text = "edited"
    assert flow.response.content == b"hello"
