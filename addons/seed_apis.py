"""The seeds' endpoints: each a chat in another shape, on its way like any other call."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from mitmproxy import http

from llmitm.call import Attempt, Call, call_of
from llmitm.errors import Cause, GatewayError
from llmitm.runtime import runtime
from llmitm.seeds import table
from llmitm.seeds.asking import ask, fit_for
from llmitm.seeds.endpoint import Endpoint, Json
from llmitm.seeds.stream import TextStream, wants_events
from llmitm.seeds.telling import fault_json, tell_answer, tell_fault, tell_stream


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call asked for, and how its answer is streamed, if it is."""

    endpoint: Endpoint
    stream: TextStream | None


class SeedApis:
    """Stands first: what is recognised here, the rest of the pipeline takes for a chat."""

    def __init__(self) -> None:
        self._asked: WeakKeyDictionary[http.HTTPFlow, Asked] = WeakKeyDictionary()

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        if table.method_of(call.path) is not None:
            _, operation = table.KNOWN.get(call.path, ("POST", "chat"))
            call.dialect, call.operation = "openai", operation

    async def request(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        if flow.response:
            return
        method = table.method_of(call.path)
        if method is not None and not _allowed(flow.request.method, method):
            flow.response = http.Response.make(405, b"", {"allow": method})
            return
        endpoint = table.endpoint_of(call.path, call.body(flow))
        if endpoint is not None and flow.request.method == "POST":
            self._asked[flow] = asked = Asked(endpoint, _stream(flow, call, endpoint))
            call.plain = asked.stream is not None
            await ask(runtime(), flow, call, endpoint)

    def upstream_request(self, flow: http.HTTPFlow, attempt: Attempt) -> None:
        if flow in self._asked and attempt.body is not None:
            provider = runtime().gateway.providers[attempt.target.provider]
            attempt.body = fit_for(provider, attempt.body)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        asked = self._asked.get(flow)
        response = flow.response
        if asked and asked.stream and response and response.stream:
            response.headers["content-type"] = asked.stream.media_type
            response.headers["cache-control"] = "no-cache"
            response.stream = asked.stream

    def response(self, flow: http.HTTPFlow) -> None:
        call, response = call_of(flow), flow.response
        if response is None or response.stream:
            return
        asked = self._asked.get(flow)
        endpoint = asked.endpoint if asked else table.endpoint_of(call.path)
        if call.error is not None:
            if endpoint is not None or call.path in table.KNOWN:
                tell_fault(response, call, call.error, endpoint)
        elif asked is not None and asked.stream is not None:
            tell_stream(response, asked.stream)
        elif asked is not None:
            tell_answer(response, call, asked.endpoint)


def _allowed(method: str, wanted: str) -> bool:
    return method == wanted or (method == "HEAD" and wanted == "GET")


def _stream(flow: http.HTTPFlow, call: Call, endpoint: Endpoint) -> TextStream | None:
    if not endpoint.streams:
        return None

    def fault(message: str) -> Json:
        error = call.error or GatewayError(Cause.STREAM_CUT, message)
        return fault_json(call, error, message, endpoint)

    return TextStream(wants_events(flow.request.headers), fault)


addons = [SeedApis()]
