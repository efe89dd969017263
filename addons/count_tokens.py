"""Says how many tokens a prompt has where no provider of its model does; Claude Code asks."""

from __future__ import annotations

import msgspec
from mitmproxy import http

from llmitm.call import call_of
from llmitm.estimate import count_prompt
from llmitm.runtime import runtime

# Client dialect: the APIs that answer it themselves. Ollama takes Anthropic's messages, not this.
ANSWERING = {
    "openai": frozenset({"openai", "simulator"}),
    "anthropic": frozenset({"anthropic", "simulator"}),
}


class CountTokens:
    async def request(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        if flow.response or call.operation != "count_tokens":
            return
        providers = runtime().gateway.providers
        apis = ANSWERING[call.dialect]
        able = tuple(t for t in call.plan if providers[t.provider].api in apis)
        if call.dialect == "openai":  # it is a part of the Responses API
            able = tuple(t for t in able if providers[t.provider].has_responses)
        if able:
            call.plan = able
            return
        answer: dict[str, object] = {"input_tokens": await count_prompt(flow, call)}
        if call.dialect == "openai":
            answer["object"] = "response.input_tokens"
        body = msgspec.json.encode(answer)
        flow.response = http.Response.make(200, body, {"content-type": "application/json"})


addons = [CountTokens()]
