"""A real mitmproxy flow for each request head, with the record of its call attached."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from mitmproxy import connection, http

from llmitm.call import Call, attach
from llmitm.dialects import paths
from llmitm.engine import messages

_NONE: Mapping[tuple[str, int], str] = {}


def make_client(conn: Any, redirected: Mapping[tuple[str, int], str] = _NONE) -> connection.Client:
    """The client's side of a TCP connection.

    `redirected` has the real client's IP for connections that come from our own proxy mode.
    """
    peer = _address(conn.peername)
    return connection.Client(
        peername=(redirected.get(peer, peer[0]), peer[1]),
        sockname=_address(conn.sockname),
        state=connection.ConnectionState.OPEN,
        tls=conn.ssl_context is not None,
    )


def make_flow(client: connection.Client, message: Any) -> http.HTTPFlow:
    """A flow for a parsed request head. The body is still out."""
    path = origin_form(message.path)
    flow = http.HTTPFlow(client, messages.unconnected(), live=True)
    flow.request = messages.request(
        host=client.sockname[0],
        port=client.sockname[1],
        method=message.method.encode(),
        scheme=b"https" if client.tls else b"http",
        path=path.encode("utf-8", "surrogateescape"),
        fields=message.raw_headers,
    )
    attach_call(flow, message.headers)
    return flow


def attach_call(flow: http.HTTPFlow, headers: Mapping[str, str]) -> Call:
    """Begin the record of the call that a flow's request makes."""
    request = flow.request
    bare = paths.strip_prefix(request.path.partition("?")[0])
    dialect, operation = paths.recognise(request.method, bare, headers)
    call = Call(
        request_id=f"req_{os.urandom(12).hex()}",
        dialect=dialect,
        operation=operation,
        path=bare,
        client=str(flow.client_conn.peername[0]),
        ts=request.timestamp_start,
    )
    attach(flow, call)
    return call


def origin_form(target: str) -> str:
    """The path and query of a request target, which may be a whole URL (RFC 9112 §3.2.2)."""
    if target.startswith("/"):
        return target.partition("#")[0]
    parts = urlsplit(target)
    if parts.scheme and parts.netloc:
        return f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    return "/"  # of `OPTIONS *` and of what is no HTTP


def _address(name: Any) -> tuple[str, int]:
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else (str(name or ""), 0)
