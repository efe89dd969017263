"""The flows that the inspector shows: masked copies, never the ones that the gateway works on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from mitmproxy import flow as mitm_flow
from mitmproxy import http

from llmitm.call import Attempt, Call
from llmitm.inspector.masking import Header, mask_headers, mask_path, scrub
from llmitm.inspector.recorder import Recorder

_PORTS = {"http": 80, "https": 443}


def call_flow(flow: http.HTTPFlow, cap: int) -> http.HTTPFlow:
    """A flow for a call as its client sent it. It has the id of the gateway's own flow."""
    shown = http.HTTPFlow(flow.client_conn, flow.server_conn)
    shown.id = flow.id
    shown.timestamp_created = flow.timestamp_created
    shown.is_replay = flow.is_replay
    request = flow.request
    content = request.raw_content
    shown.request = http.Request(
        host=request.host,
        port=request.port,
        method=request.data.method,
        scheme=request.data.scheme,
        authority=request.data.authority,
        path=mask_path(request.path).encode("utf-8", "surrogateescape"),
        http_version=request.data.http_version,
        headers=http.Headers(mask_headers(request.headers.fields)),
        content=content if content is None else content[:cap],
        trailers=None,
        timestamp_start=request.timestamp_start,
        timestamp_end=request.timestamp_end,
    )
    return shown


def call_response(
    flow: http.HTTPFlow, wire: Recorder, secrets: Sequence[bytes], ended: float
) -> http.Response | None:
    """What the client got until `ended`: a stream as it was put together, or a whole answer."""
    response = flow.response
    if response is None:
        return None
    body = wire.body if wire.size else (response.raw_content or b"")[: wire.cap]
    times = response.timestamp_start, ended
    return _response(response.status_code, response.headers.fields, body, secrets, times)


def attempt_flow(call: Call, attempt: Attempt, owner: http.HTTPFlow, cap: int) -> http.HTTPFlow:
    """A flow for one attempt: the bytes that go to the provider, its credential masked."""
    shown = http.HTTPFlow(owner.client_conn, owner.server_conn)
    shown.timestamp_created = call.ts + (attempt.started - call.started)
    parts = urlsplit(attempt.url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in attempt.headers.items()]
    body = attempt.body if isinstance(attempt.body, bytes) else None
    shown.request = http.Request(
        host=parts.hostname or "",
        port=parts.port or _PORTS.get(parts.scheme, 0),
        method=attempt.method.encode(),
        scheme=parts.scheme.encode(),
        authority=b"",
        path=mask_path(target).encode("utf-8", "surrogateescape"),
        http_version=b"HTTP/1.1",
        headers=http.Headers(mask_headers(headers)),
        content=body if body is None else body[:cap],
        trailers=None,
        timestamp_start=shown.timestamp_created,
        timestamp_end=shown.timestamp_created,
    )
    return shown


def attempt_response(
    wire: Recorder, secrets: Sequence[bytes], times: tuple[float, float]
) -> http.Response | None:
    """What the provider answered so far; `times` are when the attempt began and ended."""
    if wire.status is None:
        return None
    return _response(wire.status, wire.head, wire.body, secrets, times)


def failure(message: str | None, secrets: Sequence[bytes]) -> mitm_flow.Error | None:
    """An error as the flow has it, without the credentials that its text may repeat."""
    if message is None:
        return None
    return mitm_flow.Error(scrub(message.encode(), secrets).decode())


def _response(
    status: int,
    headers: Iterable[Header],
    body: bytes,
    secrets: Sequence[bytes],
    times: tuple[float, float],
) -> http.Response:
    return http.Response(
        http_version=b"HTTP/1.1",
        status_code=status,
        reason=b"",
        headers=http.Headers(mask_headers(headers, secrets)),
        content=scrub(body, secrets),
        trailers=None,
        timestamp_start=times[0],
        timestamp_end=times[1],
    )
