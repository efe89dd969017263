"""The flows that the inspector shows: masked copies, never the ones that the gateway works on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from mitmproxy import flow as mitm_flow
from mitmproxy import http

from llmitm.inspector.masking import Header, mask_headers, mask_path, scrub
from llmitm.inspector.snapshot import Answered, Asked, Sent

_PORTS = {"http": 80, "https": 443}


def call_flow(asked: Asked) -> http.HTTPFlow:
    """A flow for a call as its client made it. It has the id of the gateway's own flow."""
    shown = http.HTTPFlow(asked.client, asked.server)
    shown.id = asked.flow_id
    shown.timestamp_created = asked.created
    shown.is_replay = asked.is_replay
    shown.request = http.Request(
        host=asked.host,
        port=asked.port,
        method=asked.method,
        scheme=asked.scheme,
        authority=b"",
        path=mask_path(asked.path).encode("utf-8", "surrogateescape"),
        http_version=b"HTTP/1.1",
        headers=http.Headers(mask_headers(asked.fields)),
        content=asked.content,
        trailers=None,
        timestamp_start=asked.started,
        timestamp_end=asked.ended,
    )
    return shown


def attempt_flow(asked: Asked, sent: Sent) -> http.HTTPFlow:
    """A flow for one attempt: the bytes that go to the provider, its credential masked."""
    shown = http.HTTPFlow(asked.client, asked.server)
    shown.timestamp_created = sent.started
    parts = urlsplit(sent.url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    fields = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in sent.headers.items()]
    shown.request = http.Request(
        host=parts.hostname or "",
        port=parts.port or _PORTS.get(parts.scheme, 0),
        method=sent.method.encode(),
        scheme=parts.scheme.encode(),
        authority=b"",
        path=mask_path(target).encode("utf-8", "surrogateescape"),
        http_version=b"HTTP/1.1",
        headers=http.Headers(mask_headers(fields)),
        content=sent.body,
        trailers=None,
        timestamp_start=sent.started,
        timestamp_end=sent.started,
    )
    return shown


def call_response(
    answered: Answered | None, secrets: Sequence[bytes], ended: float
) -> http.Response | None:
    """What the client got until `ended`."""
    if answered is None:
        return None
    times = answered.started, ended
    return _response(answered.status, answered.fields, answered.body, secrets, times)


def attempt_response(sent: Sent, secrets: Sequence[bytes], now: float) -> http.Response | None:
    """What the provider answered so far."""
    wire = sent.wire
    if wire.status is None:
        return None
    ended = now if sent.ms is None else sent.started + sent.ms / 1000
    return _response(wire.status, wire.head, wire.body, secrets, (sent.started, ended))


def failure(message: str | None, secrets: Sequence[bytes]) -> mitm_flow.Error | None:
    """An error as the flow has it, without the credentials that its text may repeat."""
    if message is None:
        return None
    return mitm_flow.Error(scrub(message.encode(), secrets).decode())


def _response(
    status: int,
    fields: Iterable[Header],
    body: bytes,
    secrets: Sequence[bytes],
    times: tuple[float, float],
) -> http.Response:
    return http.Response(
        http_version=b"HTTP/1.1",
        status_code=status,
        reason=b"",
        headers=http.Headers(mask_headers(fields, secrets)),
        content=scrub(body, secrets),
        trailers=None,
        timestamp_start=times[0],
        timestamp_end=times[1],
    )
