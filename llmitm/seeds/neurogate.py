"""NeuroGate: a query to one of several workers."""

from __future__ import annotations

from llmitm.seeds.endpoint import Answered, Endpoint, Json
from llmitm.seeds.fields import chat, max_tokens, optional_words, temperature, words


def ask(body: Json) -> Json:
    return chat(
        words(body, "query"),
        model=optional_words(body, "model"),
        max_tokens=max_tokens(body),
        temperature=temperature(body),
    )


def answer(answered: Answered) -> Json:
    return {
        "request_id": answered.request_id,
        "response": answered.text,
        "model": answered.model,
        "tokens": answered.usage.completion_tokens,
        "latency_ms": answered.ms,
        "worker_id": answered.provider,
    }


PROMPT = Endpoint(chat=ask, answer=answer, usual_model="llama3.2")
