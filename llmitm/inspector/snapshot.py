"""A call at one moment, as cheaply as it can be told: what the flows that are shown are made of.

Bytes and tuples are kept as they are, so that a call costs little while nobody looks. Credentials
are still in it; `shown.py` masks them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mitmproxy import connection, http
from mitmproxy.websocket import WebSocketMessage

from llmitm.call import Attempt, Call, CallRecord, Target
from llmitm.inspector.masking import Header
from llmitm.inspector.recorder import Recorder


class Asked(NamedTuple):
    """The request of a client, before anything changed it."""

    flow_id: str
    created: float
    is_replay: str | None
    client: connection.Client
    server: connection.Server
    host: str
    port: int
    method: bytes
    scheme: bytes
    path: str
    fields: tuple[Header, ...]
    content: bytes | None
    started: float
    ended: float | None


class Answered(NamedTuple):
    """The answer to a client, so far."""

    status: int
    fields: tuple[Header, ...]
    body: bytes
    started: float


class Sent(NamedTuple):
    """One attempt. Times are seconds since the epoch, `ms` is None while it runs."""

    number: int
    target: str
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    status: int | None
    error: str | None
    started: float
    ms: int | None
    wire: Recorder


class Seen(NamedTuple):
    """A call. `over` says that `record` is final, `noted` is what scripts noted on the flow.

    `endpoint` is the path that the client asked, where that is served as another one.
    """

    record: CallRecord
    over: bool
    endpoint: str | None
    plan: tuple[Target, ...]
    held: bool
    asked_model: str | None
    answered: Answered | None
    sent: tuple[Sent, ...]
    wire: Recorder
    messages: tuple[WebSocketMessage, ...]
    ended: float
    error: str | None
    comment: str
    marked: str
    noted: Mapping[str, object]


def asked(flow: http.HTTPFlow, cap: int) -> Asked:
    request = flow.request
    data = request.data
    content = data.content
    return Asked(
        flow.id,
        flow.timestamp_created,
        flow.is_replay,
        flow.client_conn,
        flow.server_conn,
        data.host,
        data.port,
        data.method,
        data.scheme,
        request.path,
        data.headers.fields,
        content if content is None or len(content) <= cap else content[:cap],
        data.timestamp_start,
        data.timestamp_end,
    )


def answered(flow: http.HTTPFlow, wire: Recorder) -> Answered | None:
    """What the client got: a stream as it was put together so far, or a whole answer."""
    response = flow.response
    if response is None:
        return None
    data = response.data
    body = wire.body if wire.size else (data.content or b"")[: wire.cap]
    return Answered(data.status_code, data.headers.fields, body, data.timestamp_start)


def sent(call: Call, attempt: Attempt, wire: Recorder) -> Sent:
    body = attempt.body if isinstance(attempt.body, bytes) else None
    return Sent(
        attempt.number,
        attempt.name,
        attempt.method,
        attempt.url,
        attempt.headers,
        body if body is None or len(body) <= wire.cap else body[: wire.cap],
        attempt.status,
        attempt.error,
        call.ts + attempt.started - call.started,
        attempt.ms if attempt.ended is not None else None,
        wire,
    )
