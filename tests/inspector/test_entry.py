"""What is kept of one call."""

from __future__ import annotations

from mitmproxy.websocket import WebSocketMessage
from wsproto.frame_protocol import Opcode

from llmitm.inspector.draw import show
from llmitm.inspector.entry import Entry
from llmitm.inspector.recorder import Recorder
from llmitm.inspector.snapshot import asked
from tests.support.inspected import call_flow


def entry(cap: int) -> Entry:
    flow, call = call_flow(b"x" * 100)
    return Entry(Recorder(cap, call.started), asked(flow, 1000), flow, call)


def test_messages_are_bounded() -> None:
    """Of a long session the last messages stay that fit the cap."""
    kept = entry(10)
    for number in range(20):
        kept.keep(WebSocketMessage(Opcode.TEXT, True, b"%04d" % number))
    assert [message.content for message in kept.messages] == [b"0018", b"0019"]


def test_state_changes_with_what_there_is_to_show() -> None:
    """New bytes and new messages change the state, nothing else does."""
    kept = entry(10)
    before = kept.state
    assert kept.state == before
    kept.wire.data(b"a")
    assert kept.state != before


def test_letting_go() -> None:
    """What is over holds nothing of the gateway's, and no body over the cap."""
    kept = entry(10)
    shown, request_id = show(kept), kept.request_id
    kept.let_go()
    assert kept.flow is None and kept.call is None
    assert kept.request_id == request_id is not None
    assert kept.see() is kept.seen
    assert shown.request.raw_content == b"x" * 10
