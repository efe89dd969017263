"""go-llm-nexus: a registered user asks a provider by name, and is told usage and cost."""

from __future__ import annotations

from llmitm.seeds.endpoint import Answered, Endpoint, Json
from llmitm.seeds.fields import chat, max_tokens, optional_words, temperature, words


def is_nexus(body: Json | None) -> bool:
    """Whether a body at /api/generate is this seed's; Ollama's has neither field."""
    return body is not None and ("user_id" in body or "provider" in body)


def ask(body: Json) -> Json:
    words(body, "user_id")
    optional_words(body, "provider")
    return chat(
        words(body, "prompt"),
        model=optional_words(body, "model"),
        max_tokens=max_tokens(body),
        temperature=temperature(body),
    )


def answer(answered: Answered) -> Json:
    usage = answered.usage
    counts: Json = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
    if answered.cost_usd is not None:
        counts["cost_usd"] = answered.cost_usd
    return {
        "content": answered.text,
        "provider_used": answered.provider,
        "processing_time_ms": answered.ms,
        "usage": counts,
    }


GENERATE = Endpoint(chat=ask, answer=answer, registered=True)
