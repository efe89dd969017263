"""Calls are followed to their end, and the last of them are kept."""

from __future__ import annotations

import gc
import weakref

from mitmproxy.flow import Flow
from mitmproxy.websocket import WebSocketData, WebSocketMessage
from wsproto.frame_protocol import Opcode

from tests.support.inspected import add_attempt, book, call_flow, end


def test_a_streamed_call_is_seen_while_it_runs() -> None:
    """After a refresh the view has the call with what came so far; it grows with the stream."""
    diary, _ = book()
    flow, call = call_flow()
    diary.open(flow)
    assert len(diary.view) == 0  # nobody looked
    diary.refresh()
    assert [f.id for f in diary.view] == [flow.id]
    attempt = add_attempt(diary, flow, call, b"data: 1\n\n")
    end(flow, call)
    call.record = None
    assert call.watch is not None
    call.watch.data(b"data: 1\n\n")
    diary.refresh()
    shown = diary.view.get_by_id(flow.id)
    assert shown is not flow
    assert shown.response.raw_content == b"data: 1\n\n"
    assert attempt.watch is not None
    assert len(diary.view) == 2


def test_nothing_is_drawn_twice() -> None:
    """A refresh without news changes nothing."""
    diary, _ = book()
    flow, _ = call_flow()
    diary.open(flow)
    diary.refresh()
    updates = []

    def heard(flow: Flow) -> None:
        updates.append(flow)

    diary.view.sig_view_update.connect(heard)
    diary.refresh()
    assert updates == []


def test_the_gateways_objects_are_let_go() -> None:
    """A call that is over keeps neither the gateway's flow nor its call alive."""
    diary, _ = book()
    flow, call = call_flow()
    diary.open(flow)
    add_attempt(diary, flow, call)
    end(flow, call)
    diary.close(flow)
    diary.refresh()
    gone = weakref.ref(call)
    del flow, call
    gc.collect()
    assert gone() is None
    assert len(diary.view) == 2


def test_nothing_is_built_while_nobody_looks() -> None:
    """Calls that come and go unseen leave no flow behind, and are there when someone looks."""
    diary, _ = book(keep=3)
    for _ in range(10):
        flow, call = call_flow()
        diary.open(flow)
        end(flow, call)
        diary.close(flow)
    assert len(diary.view) == 0
    diary.refresh()
    assert len(diary.view) == 3


def test_a_refresh_may_be_bounded() -> None:
    """Each of many calls gets its turn."""
    diary, _ = book()
    for _ in range(5):
        diary.open(call_flow()[0])
        flow, call = call_flow()
        diary.open(flow)
        end(flow, call)
        diary.close(flow)
    for _ in range(3):
        diary.refresh(2)
    assert len(diary.view) == 10


def test_the_oldest_calls_are_dropped() -> None:
    """`keep` calls stay, with their attempts; what is dropped leaves the view too."""
    diary, _ = book(keep=3)
    for _ in range(10):
        flow, call = call_flow()
        diary.open(flow)
        add_attempt(diary, flow, call)
        end(flow, call)
        diary.close(flow)
        diary.refresh()
    assert len(diary.entries) == 3
    assert len(diary.view) == 6
    assert len(list(diary.view.settings)) == 6


def test_a_call_that_was_dropped_while_it_ran_stays_dropped() -> None:
    """Its end does not bring it back without its beginning."""
    diary, _ = book(keep=1)
    first, call = call_flow()
    diary.open(first)
    diary.open(call_flow()[0])
    end(first, call)
    diary.close(first)
    assert first.id not in diary.entries


def test_held_calls_are_not_dropped() -> None:
    """Their clients wait for a decision."""
    diary, _ = book(keep=1)
    flow, _ = call_flow()
    diary.open(flow).held = True
    diary.open(call_flow()[0])
    assert flow.id in diary.entries


def test_a_refused_call_is_shown_although_it_never_got_far() -> None:
    """A call that auth refused is first seen at its end."""
    diary, _ = book()
    flow, call = call_flow()
    end(flow, call, status=401)
    diary.close(flow)
    diary.refresh()
    assert diary.view.get_by_id(flow.id).marked == ":x:"


def test_flows_that_an_operator_brings() -> None:
    """A duplicated or loaded flow is kept like a call, and is not live."""
    diary, _ = book(keep=2)
    flow, _ = call_flow()
    diary.view.add([flow])
    assert flow.live is False
    assert diary.entries[flow.id].request_id is None
    diary.view.remove([flow])
    assert flow.id not in diary.entries


def test_clearing() -> None:
    """Clearing forgets what is over."""
    diary, _ = book()
    running, _ = call_flow()
    flow_id = running.id
    diary.open(running)
    flow, call = call_flow()
    end(flow, call)
    diary.close(flow)
    diary.refresh()
    diary.view.clear()
    assert list(diary.entries) == [flow_id]
    assert len(diary.view) == 0


def test_messages_and_attempts_of_unknown_flows() -> None:
    """Hooks for a call that was dropped are passed by."""
    diary, _ = book()
    flow, call = call_flow()
    flow.websocket = WebSocketData([WebSocketMessage(Opcode.TEXT, True, b"hi")])
    diary.message(flow)
    assert add_attempt(diary, flow, call).watch is None
    entry = diary.open(flow)
    diary.message(flow)
    assert len(entry.messages) == 1


def test_the_origin_of_a_flow() -> None:
    """An attempt and a duplicate lead to the call that they are of."""
    diary, _ = book()
    flow, call = call_flow()
    entry = diary.open(flow)
    add_attempt(diary, flow, call)
    end(flow, call)
    diary.close(flow)
    diary.refresh()
    duplicate = entry.flows[0].copy()
    diary.view.add([duplicate])
    assert [diary.origin(f) for f in (*entry.flows, duplicate)] == [entry] * 3
    assert diary.origin(call_flow()[0]) is None
