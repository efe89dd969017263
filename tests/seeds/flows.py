"""Flows with a call, as the edge makes them."""

from __future__ import annotations

import json
from typing import Any

from mitmproxy import http
from mitmproxy.test import tflow

from llmitm.call import Call, attach
from llmitm.dialects import paths


def flow_of(
    path: str, body: Any = None, method: str = "POST", **headers: str
) -> tuple[http.HTTPFlow, Call]:
    """A request for `path` and its call; `body` is JSON, or the bytes as they are."""
    flow = tflow.tflow()
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    flow.request = http.Request.make(method, f"http://gateway{path}", raw, headers)
    dialect, operation = paths.recognise(method, path)
    call = Call("req_1", dialect, operation, path)
    attach(flow, call)
    return flow, call
