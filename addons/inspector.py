"""The inspection UI: shows every call live, holds calls for an operator, sends them again.

It stands after `auth`, which takes the client's key off the flow, and before whatever decides
by the request: so what an operator edits is what is limited, routed and sent.
"""

from __future__ import annotations

from collections.abc import Sequence

from mitmproxy import contentviews, exceptions, http
from mitmproxy.addonmanager import Loader
from mitmproxy.addons.export import Export

from llmitm.call import Attempt
from llmitm.inspector.llm_view import LLMContentview
from llmitm.inspector.parts import Parts
from llmitm.inspector.routing import routing
from llmitm.inspector.snapshot import Seen
from llmitm.inspector.summary import Scalar
from llmitm.runtime import runtime


def why(seen: Seen) -> dict[str, Scalar]:
    """Why a call went where it went."""
    model = seen.record.model
    return routing(seen, runtime().policies.route_for(model) if model else None)


class Inspector:
    def load(self, loader: Loader) -> None:
        live = runtime()
        address = live.gateway.listen.inspector
        assert address is not None and live.lifecycle is not None  # or it were not in the list
        Export().load(loader)  # its options, for "copy as cURL"
        contentviews.add(LLMContentview)
        self.parts = Parts(
            live.gateway.inspector, address, live.lifecycle, why, live.inspector_socket
        )
        try:
            self.parts.site.bind()
        except OSError as fault:
            raise exceptions.OptionsError(f"can't listen on {address}: {fault}") from fault
        live.inspector = self.parts.site.address
        live.proxy.private_ports.add(live.inspector[1])

    def running(self) -> None:
        self.parts.start()

    def draining(self) -> None:
        self.parts.holds.release()

    async def done(self) -> None:
        await self.parts.stop()

    async def request(self, flow: http.HTTPFlow) -> None:
        entry = self.parts.book.open(flow)
        if not flow.response:
            await self.parts.holds.pass_or_hold(self.parts.book, entry, flow)

    def upstream_request(self, flow: http.HTTPFlow, attempt: Attempt) -> None:
        self.parts.book.attempt(flow, attempt)

    def update(self, flows: Sequence[http.HTTPFlow]) -> None:
        for flow in flows:
            entry = self.parts.book.running(flow)
            if flow.intercepted and entry is not None:
                self.parts.holds.mirror(self.parts.book, entry, flow)

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        self.parts.book.message(flow)

    def call_end(self, flow: http.HTTPFlow) -> None:
        self.parts.book.close(flow)


addons = [Inspector()]
