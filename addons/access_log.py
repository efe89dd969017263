"""One JSON line per call on stdout."""

from __future__ import annotations

from mitmproxy import http

from llmitm.call import call_of
from llmitm.logs import access_line
from llmitm.runtime import runtime


class AccessLog:
    def call_end(self, flow: http.HTTPFlow) -> None:
        record = call_of(flow).record
        if record is not None and runtime().policies.logging.access_log:
            access_line(record)


addons = [AccessLog()]
