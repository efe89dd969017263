"""Fills the flows that the inspector shows from the call as it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from mitmproxy import http
from mitmproxy.websocket import WebSocketData

from llmitm.inspector import shown, summary
from llmitm.inspector.entry import Entry
from llmitm.inspector.masking import secrets_of
from llmitm.inspector.recorder import Recorder
from llmitm.inspector.snapshot import Seen, Sent
from llmitm.inspector.summary import Scalar

HELD = "held for an operator"


def show(entry: Entry) -> http.HTTPFlow:
    """The flow of a call in the view. Raises ValueError for a flow that an operator brought."""
    if entry.shown is None:
        if entry.asked is None:
            raise ValueError("not a call")
        entry.shown = shown.call_flow(entry.asked)
    return entry.shown


def draw(entry: Entry, seen: Seen, why: Mapping[str, Scalar], expensive: Decimal | None) -> None:
    """Bring the flows of a call up to date. `why` is its routing."""
    copy = show(entry)
    secrets = [s for sent in seen.sent for s in secrets_of(sent.headers.items())]
    for position, sent in enumerate(seen.sent):
        if position == len(entry.attempts) and entry.asked is not None:
            entry.attempts.append(shown.attempt_flow(entry.asked, sent))
        _draw_attempt(entry.attempts[position], sent, seen, secrets)
    copy.response = shown.call_response(seen.answered, secrets, seen.ended)
    copy.error = copy.error or shown.failure(seen.error, secrets)
    copy.comment = _comment(seen)
    copy.marked = seen.marked
    if seen.over and not copy.marked:
        copy.marked = summary.marker(seen.record, expensive)
    copy.metadata = {**facts(seen), **why, **_timing(seen.wire)}
    # What a script noted; `flow.metadata` may hold objects, which break saving.
    copy.metadata |= {k: v for k, v in seen.noted.items() if isinstance(v, Scalar)}
    if seen.messages:
        copy.websocket = WebSocketData(list(seen.messages))


def facts(seen: Seen) -> dict[str, Scalar]:
    """What is known of a call, for `~meta`."""
    found = {"kind": "call", **summary.metadata(seen.record)}
    if seen.asked_model is not None:
        found.setdefault("model", seen.asked_model)
    if seen.endpoint is not None:
        found["endpoint"] = seen.endpoint
    if not seen.over:  # it has neither yet
        del found["status"], found["duration_ms"]
    return found


def _draw_attempt(copy: http.HTTPFlow, sent: Sent, seen: Seen, secrets: Sequence[bytes]) -> None:
    record = seen.record
    copy.response = shown.attempt_response(sent, secrets, seen.ended)
    copy.error = shown.failure(sent.error, secrets)
    copy.comment = summary.attempt_comment(sent)
    copy.marked = summary.FAILED if sent.error else ""
    copy.metadata = summary.known(
        {
            "kind": "attempt",
            "request_id": record.request_id,
            "attempt": sent.number,
            "key": record.key,
            "user": record.user,
            "team": record.team,
            "model": record.model,
            "target": sent.target,
            "status": sent.status,
            "error": sent.error,
            "duration_ms": sent.ms,
            **_timing(sent.wire),
        }
    )


def _comment(seen: Seen) -> str:
    if seen.over:
        return summary.joined(seen.endpoint, summary.comment(seen.record), seen.comment)
    note = summary.running_comment(seen.record, seen.asked_model)
    return summary.joined(HELD if seen.held else None, seen.endpoint, note, seen.comment)


def _timing(wire: Recorder) -> dict[str, Scalar]:
    return {"response_bytes": wire.size, "chunks": wire.timing} if wire.size else {}
