"""Completes token counts: the provider's where it reports them, else ours, marked estimated."""

from __future__ import annotations

from dataclasses import replace

from mitmproxy import http

from llmitm import tokens
from llmitm.call import Attempt, Call, Usage, call_of
from llmitm.estimate import COUNTED, count_prompt


class TokenCount:
    async def settle(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        if call.operation not in COUNTED:
            return
        for attempt in call.attempts:
            if _is_partial(attempt):
                await self._estimate(flow, call, attempt)
        answered = call.attempts[-1] if call.attempts else None
        if call.usage is None and answered is not None:
            call.usage = answered.usage

    async def _estimate(self, flow: http.HTTPFlow, call: Call, attempt: Attempt) -> None:
        known = attempt.usage or Usage()
        prompt = known.prompt_tokens or await count_prompt(flow, call)
        written = known.completion_tokens
        if attempt.error is not None or not written:
            written = max(written, await tokens.count_async(attempt.produced, attempt.model))
        attempt.usage = replace(
            known, prompt_tokens=prompt, completion_tokens=written, estimated=True
        )


def _is_partial(attempt: Attempt) -> bool:
    """An attempt whose tokens nobody reported, or not all of them."""
    if attempt.usage is None:
        return bool(attempt.produced) or (attempt.error is None and attempt.status == 200)
    if not attempt.usage.prompt_tokens:
        return True  # every prompt has tokens; Ollama leaves them out where it had them cached
    return attempt.error is not None and bool(attempt.produced)


addons = [TokenCount()]
