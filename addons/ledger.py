"""Every ended call goes into the ledger."""

from __future__ import annotations

from mitmproxy import http

from llmitm.call import call_of
from llmitm.runtime import runtime


class Ledger:
    def call_end(self, flow: http.HTTPFlow) -> None:
        record = call_of(flow).record
        if record is not None:
            runtime().ledger.append(record)


addons = [Ledger()]
