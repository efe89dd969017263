"""Keeps what calls said and were answered, for keys whose `log_content` is redacted or full."""

from __future__ import annotations

import asyncio

from mitmproxy import http

from llmitm.call import Call, call_of
from llmitm.policy.redact import redact
from llmitm.runtime import runtime

MAX_TEXT = 262_144  # characters of each side that are kept
INLINE = 8_192  # characters (about 1 ms) that may be redacted on the event loop
OFF, REDACTED = "off", "redacted"


class Content:
    async def call_end(self, flow: http.HTTPFlow) -> None:
        call, live = call_of(flow), runtime()
        key = call.principal.policy if call.principal else None
        level = (key.log_content if key is not None else None) or live.policies.logging.content
        if level == OFF or call.principal is None:
            return
        texts = [asked(flow, call), answered(flow, call)]
        if level == REDACTED:
            texts = [None if text is None else await redacted(text) for text in texts]
        live.ledger.append_content(call.request_id, call.ts, *texts)


def asked(flow: http.HTTPFlow, call: Call) -> str | None:
    """The request's JSON; None for anything else."""
    return _text(flow.request.raw_content) if call.body(flow) is not None else None


def answered(flow: http.HTTPFlow, call: Call) -> str | None:
    """The JSON of a whole answer, the text of a streamed one; None for files and audio."""
    response = flow.response
    if response is None:
        return None
    if response.raw_content:
        kind = response.headers.get("content-type", "")
        return _text(response.raw_content) if "json" in kind or "text" in kind else None
    written = call.delivered or (call.attempts[-1].produced if call.attempts else "")
    return written[:MAX_TEXT] or None


async def redacted(text: str) -> str:
    return redact(text) if len(text) <= INLINE else await asyncio.to_thread(redact, text)


def _text(raw: bytes | None) -> str | None:
    return raw[: 4 * MAX_TEXT].decode(errors="replace")[:MAX_TEXT] if raw else None


addons = [Content()]
