"""WebSockets (RFC 6455) passed through, message by message, with mitmproxy's `websocket_*` hooks.

A session is one call: authenticated, routed by the `model` of its URL, and billed for the usage
that the provider's events report.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import aiohttp
from aiohttp import WSMsgType, web
from mitmproxy import http
from mitmproxy import websocket as mitm_websocket
from wsproto.frame_protocol import Opcode

from llmitm.call import Attempt, Target, call_of
from llmitm.config.access import permits
from llmitm.engine.delivery import report
from llmitm.engine.failure import AttemptFailed, failed
from llmitm.engine.killing import killed
from llmitm.engine.outgoing import prepare
from llmitm.engine.session import add_usage, close_code, key_of_protocols, models_named, with_model
from llmitm.engine.upstream import MAX_MESSAGE
from llmitm.errors import Cause, GatewayError, render
from llmitm.policy.outcome import Failure

if TYPE_CHECKING:
    from llmitm.engine.lifecycle import Lifecycle

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 30.0
_OURS = frozenset(
    {
        "sec-websocket-key",
        "sec-websocket-version",
        "sec-websocket-extensions",
        "sec-websocket-protocol",
    }
)
_CLOSING = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)

Socket = Any  # aiohttp's web.WebSocketResponse and ClientWebSocketResponse have one interface


class Tunnel:
    """One client's WebSocket and the provider's."""

    def __init__(self, lifecycle: Lifecycle, flow: http.HTTPFlow, request: web.BaseRequest) -> None:
        self._lifecycle = lifecycle
        self._hooks = lifecycle.hooks
        self._runtime = lifecycle.runtime
        self._flow = flow
        self._request = request
        self._call = call_of(flow)
        self._protocols = _offered(request)

    async def run(self) -> web.StreamResponse:
        """Answer the handshake, and pass messages until one side closes."""
        call = self._call
        call.stream = True
        call.task = asyncio.current_task()
        self._lifecycle.in_flight += 1
        try:
            return await self._run()
        except GatewayError as error:
            return self._refusal(error)
        except asyncio.CancelledError:
            if verdict := killed(call):
                return self._refusal(verdict)
            self._client_gone()
            raise
        except Exception:
            logger.exception("session failed")
            return self._refusal(
                GatewayError(Cause.INTERNAL, "The gateway failed while handling this request.")
            )
        finally:
            call.task = None
            self._lifecycle.in_flight -= 1
            self._lifecycle.detach(self._flow)

    async def _run(self) -> web.StreamResponse:
        flow, call = self._flow, self._call
        asked = parse_qs(flow.request.path.partition("?")[2]).get("model", [])
        if len(asked) > 1:
            raise GatewayError(Cause.INVALID_REQUEST, "The URL names two models.", "model")
        call.model = asked[0] if asked else None
        key, self._protocols = key_of_protocols(self._protocols)
        if key is not None:
            flow.request.headers.setdefault("authorization", f"Bearer {key}")
        flow.request.headers.pop("sec-websocket-protocol", None)
        await self._hooks.decide("requestheaders", flow)
        if flow.response is None:
            await self._hooks.decide("request", flow)
        if flow.response is not None:
            return self._own_response(flow.response)
        attempt, upstream = await self._connect()
        try:
            return await self._pass_through(attempt, upstream)
        finally:
            await upstream.close()
            await report(self._hooks, flow, attempt)

    async def _connect(self) -> tuple[Attempt, Socket]:
        """The first target that takes the connection. Raises GatewayError where none does."""
        failure: AttemptFailed | None = None
        for target in self._call.plan:
            try:
                return await self._ask(target)
            except AttemptFailed as fault:
                failure = fault
        raise GatewayError(
            Cause.UPSTREAM_UNAVAILABLE, "The provider of this model did not open a WebSocket."
        ) from failure

    async def _ask(self, target: Target) -> tuple[Attempt, Socket]:
        call, runtime = self._call, self._runtime
        model = target.model_for(call.model or "*")
        attempt = Attempt(target, len(call.attempts) + 1, model, started=time.monotonic())
        provider = runtime.gateway.providers[target.provider]
        prepare(self._flow, call, attempt, provider, runtime.targets.base_url(target.provider))
        attempt.url = with_model(attempt.url, call.model, model)
        await self._hooks.decide("upstream_request", self._flow, attempt)
        call.attempts.append(attempt)
        headers = {k: v for k, v in attempt.headers.items() if k not in _OURS}
        timeout = call.resilience.timeouts.connect
        try:
            upstream = await runtime.upstream.websocket(
                attempt.url, headers, self._protocols, timeout
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as fault:
            attempt.status = getattr(fault, "status", None)
            failure = failed(attempt, Failure.CONNECT, f"no WebSocket: {type(fault).__name__}")
            attempt.outcome, attempt.error = failure.outcome, Failure.CONNECT.value
            await report(self._hooks, self._flow, attempt)
            raise failure from fault
        attempt.status = 101
        return attempt, upstream

    async def _pass_through(self, attempt: Attempt, upstream: Socket) -> web.StreamResponse:
        flow = self._flow
        flow.response = http.Response.make(101)
        await self._hooks.decide("responseheaders", flow)
        await self._hooks.decide("response", flow)
        client = web.WebSocketResponse(
            protocols=[upstream.protocol] if upstream.protocol else [],
            max_msg_size=MAX_MESSAGE,
            heartbeat=HEARTBEAT_SECONDS,
            autoclose=False,  # the provider hears of it first: a client may leave with its answer
        )
        client.headers["x-request-id"] = self._call.request_id
        client.headers["x-llmitm-target"] = attempt.name
        await client.prepare(self._request)
        self._call.status = 101
        flow.websocket = mitm_websocket.WebSocketData()
        try:
            await self._hooks.decide("websocket_start", flow)
            await self._both_ways(attempt, client, upstream)
            await client.close()
        except GatewayError as error:
            self._call.error = error
            refused = error.cause in (Cause.PERMISSION, Cause.KILLED)
            await client.close(code=1008 if refused else 1011, message=error.message[:100].encode())
        finally:
            flow.websocket.timestamp_end = time.time()
            await self._hooks.observe("websocket_end", flow)
        return client

    async def _both_ways(self, attempt: Attempt, client: Socket, upstream: Socket) -> None:
        """Pass messages in both directions until either side ends."""
        tasks = [
            asyncio.ensure_future(self._from_client(client, upstream)),
            asyncio.ensure_future(self._from_provider(attempt, upstream, client)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except asyncio.CancelledError:
            if verdict := killed(self._call):
                attempt.error = verdict.cause.value
                raise verdict from None
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _from_client(self, client: Socket, upstream: Socket) -> None:
        while (message := await client.receive()).type not in _CLOSING:
            self._check_models(message.data)
            await self._pass(message, upstream, from_client=True)
        await self._closed(client, upstream, from_client=True)

    def _check_models(self, data: str | bytes) -> None:
        """An event of the client may ask for another model than the URL did."""
        key = self._call.principal.policy if self._call.principal else None
        if key is None:
            return
        for model in models_named(data):
            if model != self._call.model and not permits(key, model):
                raise GatewayError(
                    Cause.PERMISSION, f"This API key may not use the model {model!r}."
                )

    async def _from_provider(self, attempt: Attempt, upstream: Socket, client: Socket) -> None:
        while (message := await upstream.receive()).type not in _CLOSING:
            if attempt.first_token is None:
                attempt.first_token = self._call.first_token = time.monotonic()
            attempt.usage = add_usage(attempt.usage, message.data)
            self._call.usage = attempt.usage
            await self._pass(message, client, from_client=False)
        if message.type is WSMsgType.CLOSING:
            return  # it is us who close it, because the client did
        if upstream.close_code in (None, 1006):
            attempt.error = Failure.STREAM_CUT.value
            attempt.outcome = failed(attempt, Failure.STREAM_CUT, "lost", committed=True).outcome
            raise GatewayError(Cause.STREAM_CUT, "The provider's connection was lost.")
        await self._closed(upstream, client, from_client=False)

    async def _pass(self, message: aiohttp.WSMessage, sink: Socket, *, from_client: bool) -> None:
        is_text = message.type is WSMsgType.TEXT
        content = message.data.encode() if is_text else bytes(message.data)
        kind = Opcode.TEXT if is_text else Opcode.BINARY
        seen = mitm_websocket.WebSocketMessage(kind, from_client, content)
        if self._flow.websocket is not None:
            # Hooks see the newest message last; older ones aren't kept, a session may be long.
            self._flow.websocket.messages = [seen]
        await self._hooks.decide("websocket_message", self._flow)
        if seen.dropped:
            return
        if is_text:
            await sink.send_str(seen.content.decode("utf-8", "replace"))
        else:
            await sink.send_bytes(seen.content)

    async def _closed(self, source: Socket, sink: Socket, *, from_client: bool) -> None:
        code = close_code(source.close_code)
        if self._flow.websocket is not None:
            self._flow.websocket.closed_by_client = from_client
            self._flow.websocket.close_code = code
        await sink.close(code=code)

    def _client_gone(self) -> None:
        """The client's connection is lost, which is no fault once the session was closed."""
        call = self._call
        ended = self._flow.websocket is not None and self._flow.websocket.close_code is not None
        if call.error is None and not ended:
            call.error = GatewayError(Cause.CLIENT_CLOSED, "The client closed the connection.")
            call.status = call.status or call.error.status(call.dialect)

    def _own_response(self, response: http.Response) -> web.Response:
        self._call.status = response.status_code
        return web.Response(
            status=response.status_code,
            headers=dict(response.headers.items()),
            body=response.raw_content or b"",
        )

    def _refusal(self, error: GatewayError) -> web.Response:
        call = self._call
        call.error = error
        call.status, headers, body = render(error, call.dialect, call.request_id)
        headers["x-request-id"] = call.request_id
        return web.Response(status=call.status, headers=headers, body=body)


def _offered(request: web.BaseRequest) -> list[str]:
    lines = request.headers.getall("sec-websocket-protocol", [])
    return [protocol.strip() for line in lines for protocol in line.split(",")]
