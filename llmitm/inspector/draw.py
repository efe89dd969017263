"""Fills the flows that the inspector shows from the call as it stands."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from decimal import Decimal

from mitmproxy import http
from mitmproxy.websocket import WebSocketData

from llmitm.call import Call
from llmitm.inspector import shown, summary
from llmitm.inspector.entry import Entry, Try
from llmitm.inspector.masking import secrets_of
from llmitm.inspector.summary import Scalar

HELD = "held for an operator"


def draw(
    entry: Entry, why: Mapping[str, Scalar], cap: int, expensive: Decimal | None
) -> list[http.HTTPFlow]:
    """The flows of a running or just ended call, brought up to date. `why` is its routing."""
    call = entry.call
    if call is None or entry.flow is None:
        return []
    secrets = [s for one in entry.tries for s in secrets_of(one.attempt.headers.items())]
    sent = [one for one in entry.tries if one.attempt in call.attempts]  # a breaker may refuse
    for one in sent:
        if one.shown is None:
            one.shown = shown.attempt_flow(call, one.attempt, entry.shown, cap)
            entry.attempts.append(one.shown)
        draw_attempt(one.shown, one, call, secrets)
    draw_call(entry, call, entry.flow, why, secrets)
    if not entry.shown.marked and call.record is not None:
        entry.shown.marked = summary.marker(call.record, expensive)
    return entry.flows


def draw_call(
    entry: Entry,
    call: Call,
    flow: http.HTTPFlow,
    why: Mapping[str, Scalar],
    secrets: Sequence[bytes],
) -> None:
    copy = entry.shown
    ended = _wall(call, call.ended or time.monotonic())
    copy.response = shown.call_response(flow, entry.wire, secrets, ended)
    copy.error = copy.error or shown.failure(flow.error.msg if flow.error else None, secrets)
    copy.marked = flow.marked
    copy.comment = _comment(entry, call, flow)
    copy.metadata = {**facts(entry, call), **why, **_timing(entry)}
    # What a script noted; `flow.metadata` may hold objects, which break saving.
    copy.metadata |= {k: v for k, v in flow.metadata.items() if isinstance(v, Scalar)}
    if entry.messages:
        copy.websocket = WebSocketData(list(entry.messages))


def draw_attempt(copy: http.HTTPFlow, one: Try, call: Call, secrets: Sequence[bytes]) -> None:
    attempt, who = one.attempt, call.principal
    ended = _wall(call, attempt.ended or time.monotonic())
    copy.response = shown.attempt_response(one.wire, secrets, (copy.timestamp_created, ended))
    copy.error = shown.failure(attempt.error, secrets)
    copy.comment = summary.attempt_comment(attempt)
    copy.marked = summary.FAILED if attempt.error else ""
    copy.metadata = summary.known(
        {
            "kind": "attempt",
            "request_id": call.request_id,
            "attempt": attempt.number,
            "key": who.key if who else None,
            "user": who.user if who else None,
            "team": who.team if who else None,
            "model": call.model,
            "target": f"{attempt.target.provider}/{attempt.model}",
            "status": attempt.status,
            "error": attempt.error,
            "duration_ms": attempt.ms if attempt.ended else None,
            "response_bytes": one.wire.size or None,
            "chunks": one.wire.timing or None,
        }
    )


def _comment(entry: Entry, call: Call, flow: http.HTTPFlow) -> str:
    record, asked = call.record, entry.asked
    note = summary.comment(record) if record else summary.running_comment(call, asked)
    held = HELD if entry.held and record is None else None
    return summary.joined(held, note, flow.comment)


def facts(entry: Entry, call: Call) -> dict[str, Scalar]:
    """What is known of a call, for `~meta`."""
    found = {"kind": "call", **summary.metadata(call.record or call.freeze())}
    if entry.asked is not None:
        found.setdefault("model", entry.asked)
    if call.record is None:  # it has neither yet
        del found["status"], found["duration_ms"]
    return found


def _wall(call: Call, moment: float) -> float:
    """A moment of the monotonic clock, which calls are timed by, as seconds since the epoch."""
    return call.ts + moment - call.started


def _timing(entry: Entry) -> dict[str, Scalar]:
    if not entry.wire.size:
        return {}
    return {"response_bytes": entry.wire.size, "chunks": entry.wire.timing}
