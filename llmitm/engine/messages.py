"""mitmproxy's messages, made from parts that are known to be sound.

mitmproxy's constructors convert and type-check each field of each message, which takes an eighth
of a call. What is built here comes from a strict parser or from us, so it is put in place as it is.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable

from mitmproxy import connection, http

Header = tuple[bytes, bytes]

_NOWHERE = vars(connection.Server(address=None))


def headers(fields: Iterable[Header]) -> http.Headers:
    made = http.Headers.__new__(http.Headers)
    made.fields = tuple(fields)
    return made


def request(
    host: str, port: int, method: bytes, scheme: bytes, path: bytes, fields: Iterable[Header]
) -> http.Request:
    """A request without a body; `host` and `port` are those of the listener."""
    now = time.time()
    data = http.RequestData.__new__(http.RequestData)
    vars(data).update(
        http_version=b"HTTP/1.1",
        headers=headers(fields),
        content=b"",
        trailers=None,
        timestamp_start=now,
        timestamp_end=now,
        host=host,
        port=port,
        method=method,
        scheme=scheme,
        authority=b"",
        path=path,
    )
    made = http.Request.__new__(http.Request)
    made.data = data
    return made


def response(status: int, fields: Iterable[Header], content: bytes) -> http.Response:
    now = time.time()
    data = http.ResponseData.__new__(http.ResponseData)
    vars(data).update(
        http_version=b"HTTP/1.1",
        headers=headers(fields),
        content=content,
        trailers=None,
        timestamp_start=now,
        timestamp_end=now,
        status_code=status,
        reason=b"",
    )
    made = http.Response.__new__(http.Response)
    made.data = data
    return made


def unconnected() -> connection.Server:
    """The server side of a flow: the pool's connections are no flow's own."""
    made = connection.Server.__new__(connection.Server)
    vars(made).update(_NOWHERE, id=str(uuid.uuid4()))
    return made
