"""WebSockets (RFC 6455) passed through, message by message, with mitmproxy's `websocket_*` hooks."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web
from mitmproxy import http
from mitmproxy import websocket as mitm_websocket
from wsproto.frame_protocol import Opcode

from llmitm.call import Attempt, Call, call_of
from llmitm.engine.delivery import report
from llmitm.engine.failure import AttemptFailed
from llmitm.engine.outgoing import prepare
from llmitm.errors import Cause, GatewayError, render

if TYPE_CHECKING:
    from llmitm.engine.lifecycle import Lifecycle

MAX_MESSAGE = 32 << 20
HEARTBEAT_SECONDS = 30.0
_OURS = frozenset({"sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions"})


async def tunnel(
    lifecycle: Lifecycle, flow: http.HTTPFlow, request: web.BaseRequest
) -> web.StreamResponse:
    """Authenticate, route and connect like any call, then pass messages until one side closes."""
    call = call_of(flow)
    call.model = request.query.get("model") or call.model
    call.stream = True
    lifecycle.in_flight += 1
    try:
        return await _tunnel(lifecycle, flow, call, request)
    except GatewayError as error:
        call.error = error
        status, headers, body = render(error, call.dialect, call.request_id)
        call.status = status
        return web.Response(status=status, headers=headers, body=body)
    finally:
        lifecycle.in_flight -= 1
        lifecycle.detach(flow)


async def _tunnel(
    lifecycle: Lifecycle, flow: http.HTTPFlow, call: Call, request: web.BaseRequest
) -> web.StreamResponse:
    hooks, runtime = lifecycle.hooks, lifecycle.runtime
    await hooks.decide("requestheaders", flow)
    await hooks.decide("request", flow)
    target = call.plan[0]
    attempt = Attempt(target, 1, target.model_for(call.model or "*"), started=time.monotonic())
    provider = runtime.gateway.providers[target.provider]
    prepare(flow, call, attempt, provider, runtime.targets.base_url(target.provider))
    try:
        await hooks.decide("upstream_request", flow, attempt)
    except AttemptFailed as failure:
        raise GatewayError(Cause.CIRCUIT_OPEN, str(failure)) from failure
    call.attempts.append(attempt)
    protocols = request.headers.getall("sec-websocket-protocol", [])
    offered = [p.strip() for line in protocols for p in line.split(",")]
    try:
        upstream = await runtime.upstream.websocket(
            attempt.url,
            {k: v for k, v in attempt.headers.items() if k not in _OURS},
            offered,
            call.resilience.timeouts.connect,
        )
    except (aiohttp.ClientError, OSError, TimeoutError) as fault:
        attempt.error = "connect"
        await report(hooks, flow, attempt)
        raise GatewayError(
            Cause.UPSTREAM_UNAVAILABLE, "The provider of this model did not open a WebSocket."
        ) from fault
    client = web.WebSocketResponse(
        protocols=[upstream.protocol] if upstream.protocol else [],
        max_msg_size=MAX_MESSAGE,
        heartbeat=HEARTBEAT_SECONDS,
    )
    attempt.status = call.status = 101
    try:
        await client.prepare(request)
        flow.websocket = mitm_websocket.WebSocketData()
        await hooks.observe("websocket_start", flow)
        await _both_ways(lifecycle, flow, client, upstream)
    finally:
        await upstream.close()
        await client.close()
        await hooks.observe("websocket_end", flow)
        await report(hooks, flow, attempt)
    return client


async def _both_ways(lifecycle: Lifecycle, flow: http.HTTPFlow, client: Any, upstream: Any) -> None:
    """Pass messages in both directions until either side ends."""
    tasks = [
        asyncio.ensure_future(_pass(lifecycle, flow, client, upstream, from_client=True)),
        asyncio.ensure_future(_pass(lifecycle, flow, upstream, client, from_client=False)),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pass(
    lifecycle: Lifecycle, flow: http.HTTPFlow, source: Any, sink: Any, *, from_client: bool
) -> None:
    async for message in source:
        if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            continue
        is_text = message.type is aiohttp.WSMsgType.TEXT
        content = message.data.encode() if is_text else bytes(message.data)
        seen = mitm_websocket.WebSocketMessage(
            Opcode.TEXT if is_text else Opcode.BINARY, from_client, content
        )
        if flow.websocket is not None:
            # Hooks see the newest message last; older ones aren't kept, a session may be long.
            flow.websocket.messages = [seen]
        await lifecycle.hooks.observe("websocket_message", flow)
        if seen.dropped:
            continue
        if is_text:
            await sink.send_str(seen.content.decode("utf-8", "replace"))
        else:
            await sink.send_bytes(seen.content)
    await sink.close(code=source.close_code or 1000)
