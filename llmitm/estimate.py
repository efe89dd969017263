"""What a call may use, known before it is sent: bounds to reserve by, counts where they matter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mitmproxy import http

from llmitm import dialects, tokens
from llmitm.call import Call
from llmitm.dialects import media
from llmitm.dialects.pieces import as_json

# Operations that a model answers with tokens; files, models and the like use none.
COUNTED = frozenset(
    {"chat", "completions", "messages", "responses", "compact", "generate", "embeddings", "embed"}
)
# Their prompt is the text alone, which no chat template surrounds.
_PLAIN = frozenset({"completions", "embeddings", "embed"})
# What says how a chat's answer is to look, and which functions there are (OpenAI's old way).
_SCHEMAS = ("functions", "response_format", "format")
# What a provider keeps for the client and puts before the prompt, by the field that names it.
_KEPT_BY_PROVIDER = ("previous_response_id", "conversation")


def prompt_bound(flow: http.HTTPFlow, call: Call) -> int:
    """No prompt of this request has more tokens: arithmetic on its bytes."""
    raw = flow.request.raw_content or b""
    found = media.images(raw, call.body(flow))
    return tokens.upper_estimate(
        len(raw), media_bytes=found.size, images=found.images, model=call.model or ""
    )


async def count_prompt(flow: http.HTTPFlow, call: Call) -> int:
    """Tokens of the call's prompt by tiktoken, counted once."""
    if call.prompt_estimate is None:
        body = call.body(flow) or {}
        if call.operation == "chat":
            call.prompt_estimate = await _count_chat(call.model or "", body)
        else:
            call.prompt_estimate = await _count_texts(flow, call, body)
    return call.prompt_estimate


async def _count_chat(model: str, body: Mapping[str, Any]) -> int:
    """By OpenAI's rule; the schema of the answer is shown to the model as it is."""
    counted = await tokens.count_messages_async(body.get("messages"), model, body.get("tools"))
    schemas = "".join(as_json(body.get(name)) for name in _SCHEMAS)
    return counted + await tokens.count_async(schemas, model)


async def _count_texts(flow: http.HTTPFlow, call: Call, body: Mapping[str, Any]) -> int:
    messages, model = body.get("messages"), call.model or ""
    listed = messages if isinstance(messages, list) else ()
    roles = [m["role"] for m in listed if isinstance(m, dict) and "role" in m]
    texts = (*dialects.prompt_text(call.dialect, call.operation, body), *map(str, roles))
    plain = call.operation in _PLAIN
    shown = media.images(flow.request.raw_content or b"", body).images
    return await tokens.prompt_tokens_async(
        texts, 0 if plain else len(roles) or 1, model, shown * tokens.image_tokens(model)
    )


async def careful_prompt_bound(flow: http.HTTPFlow, call: Call) -> int:
    """A closer bound than `prompt_bound`, by counting; as good as sure for any tokenizer.

    No provider's tokenizer makes half as many tokens again of a text as tiktoken. Images are
    bounded by the largest, so there is nothing to be gained where there are any.
    """
    bound = prompt_bound(flow, call)
    if media.images(flow.request.raw_content or b"", call.body(flow)).images:
        return bound
    counted = await count_prompt(flow, call)
    return min(bound, counted * 3 // 2 + tokens.TEMPLATE)


def output_bound(call: Call, body: Mapping[str, Any], default: int) -> int:
    """Tokens that the answer may have; `default` for each answer where the request says nothing."""
    asked = dialects.max_output(call.dialect, call.operation, body)
    return default * dialects.answers(body) if asked is None else asked


def has_hidden_prompt(body: Mapping[str, Any]) -> bool:
    """Whether the prompt is longer than the request shows: the provider keeps a part of it."""
    return any(body.get(name) for name in _KEPT_BY_PROVIDER)
