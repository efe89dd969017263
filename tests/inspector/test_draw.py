"""The flows of a call are filled from its record."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from mitmproxy import flow as mitm_flow
from mitmproxy import http
from mitmproxy.websocket import WebSocketMessage
from wsproto.frame_protocol import Opcode

from llmitm.call import Attempt, Target
from llmitm.inspector.draw import draw, show
from llmitm.inspector.entry import Entry
from tests.support.inspected import ANSWER, SECRET, add_attempt, book, call_flow, end


def drawn(entry: Entry, expensive: Decimal | None = None) -> list[http.HTTPFlow]:
    seen = entry.see()
    assert seen is not None
    draw(entry, seen, {"strategy": "priority"}, expensive)
    return entry.flows


def test_a_call_with_two_attempts() -> None:
    """The call comes first, then each attempt, all with the call's request id."""
    flow, call = call_flow()
    diary, _ = book()
    entry = diary.open(flow)
    add_attempt(diary, flow, call, b"{}", 503, "http_error")
    add_attempt(diary, flow, call, json.dumps(ANSWER).encode())
    end(flow, call, json.dumps(ANSWER).encode())
    shown = drawn(entry, Decimal(1))
    assert [f.metadata["kind"] for f in shown] == ["call", "attempt", "attempt"]
    assert {f.metadata["request_id"] for f in shown} == {call.request_id}
    assert [f.metadata.get("attempt") for f in shown] == [None, 1, 2]
    assert [f.marked for f in shown] == [":twisted_rightwards_arrows:", ":x:", ""]
    assert shown[0].metadata["strategy"] == "priority"
    assert "200 after 2 attempts" in shown[0].comment
    assert SECRET not in str([f.get_state() for f in shown])


def test_a_running_call_has_no_status() -> None:
    """What has not come yet is not in the metadata."""
    flow, _ = call_flow()
    diary, _ = book()
    entry = diary.open(flow)
    entry.model = "gpt-4o"
    (shown,) = drawn(entry)
    assert "status" not in shown.metadata and "duration_ms" not in shown.metadata
    assert shown.metadata["model"] == "gpt-4o"
    assert shown.metadata["user"] == "ava"


def test_the_endpoint_that_was_asked() -> None:
    """Where a call is served as another path than its client's, it says which that was."""
    flow, call = call_flow()
    diary, _ = book()
    entry = diary.open(flow)
    assert "endpoint" not in drawn(entry)[0].metadata
    call.path = "/classify"
    (shown,) = drawn(entry)
    assert shown.metadata["endpoint"] == "/classify"
    assert shown.comment.startswith("/classify · ")
    end(flow, call)
    (shown,) = drawn(entry)
    assert shown.comment.startswith("/classify · gpt-4o · ")


def test_an_attempt_that_a_breaker_refused_is_not_shown() -> None:
    """What was never sent is no attempt."""
    flow, _ = call_flow()
    diary, _ = book()
    entry = diary.open(flow)
    diary.attempt(flow, Attempt(Target("p", "m"), 1, "m"))
    assert len(drawn(entry)) == 1


def test_what_scripts_note_is_shown() -> None:
    """A user's addon may comment, mark and tag a flow; objects are left out."""
    flow, call = call_flow()
    diary, _ = book()
    entry = diary.open(flow)
    flow.comment, flow.marked = "look here", ":eyes:"
    flow.metadata.update(tag="t1", thing=object())
    flow.error = mitm_flow.Error("cut")
    end(flow, call)
    (shown,) = drawn(entry)
    assert shown.comment.endswith("· look here")
    assert shown.marked == ":eyes:"
    assert shown.metadata["tag"] == "t1" and "thing" not in shown.metadata
    assert shown.error is not None and shown.error.msg == "cut"


def test_websocket_messages() -> None:
    """The messages that were kept are the flow's."""
    flow, _ = call_flow()
    diary, _ = book()
    entry = diary.open(flow)
    entry.keep(WebSocketMessage(Opcode.TEXT, True, b"hi"))
    (shown,) = drawn(entry)
    assert shown.websocket is not None
    assert [message.content for message in shown.websocket.messages] == [b"hi"]


def test_flows_that_an_operator_brought() -> None:
    """They are in the view already, and are no calls to draw."""
    with pytest.raises(ValueError, match="not a call"):
        show(Entry(None))  # type: ignore[arg-type]
