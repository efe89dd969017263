"""OpenAI's older text completions (/v1/completions) and embeddings (/v1/embeddings)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from llmitm.simulator.answer import Answer, Ask, answer
from llmitm.simulator.exchange import Exchange
from llmitm.simulator.frames import DONE, HOLE, data, encode, mould
from llmitm.simulator.ids import new_id
from llmitm.simulator.openai_chat import FINISH, choices, usage_object, wants_usage
from llmitm.simulator.refusals import Refused, invalid
from llmitm.simulator.reply import SSE, Event, Mark, Reply
from llmitm.simulator.text import count
from llmitm.simulator.vectors import as_base64, dimensions, vector


def completions(ex: Exchange) -> Reply:
    """Answers a text completion; a prompt is answered as a user's message would be."""
    limit = ex.limit("max_tokens")
    asks = [Ask((("user", prompt),), limit=limit) for prompt in inputs(ex, "prompt")]
    answers = [answer(ex, ask, choice) for ask in asks for choice in range(choices(ex))]
    head, usage = _head(ex), usage_object(answers, len(asks))
    if ex.body.get("stream"):
        return Reply("openai", steps=_stream(ex, head, answers, usage), content_type=SSE)
    said = [_choice(index, one.text, FINISH[one.finish]) for index, one in enumerate(answers)]
    return Reply("openai", encode({**head, "choices": said, "usage": usage}))


def embeddings(ex: Exchange) -> Reply:
    """Answers with a vector for each input, as floats or in base64."""
    size = dimensions(ex)
    texts = inputs(ex, "input")
    encoded = ex.body.get("encoding_format") == "base64"
    vectors = [vector(ex.settings.seed, text, size) for text in texts]
    entries = [
        {"object": "embedding", "index": index, "embedding": as_base64(one) if encoded else one}
        for index, one in enumerate(vectors)
    ]
    prompt = ex.stands_in("prompt", sum(map(count, texts)))
    usage = {"prompt_tokens": prompt, "total_tokens": prompt}
    body = {"object": "list", "data": entries, "model": ex.model, "usage": usage}
    return Reply("openai", encode(body))


def inputs(ex: Exchange, field: str) -> list[str]:
    """The texts of a field that takes a text, token ids, or a list of either. Raises Refused."""
    value = ex.body.get(field)
    match value:
        case str():
            return [value]
        case [int(), *_]:
            return [_spelled(value)]
        case [_, *_]:
            return [_spelled(one) if isinstance(one, list) else str(one) for one in value]
    raise Refused(invalid(f"'{field}' must be a text or a list of texts.", field))


def _spelled(tokens: list[Any]) -> str:
    return " ".join(map(str, tokens))


def _head(ex: Exchange) -> dict[str, Any]:
    return {
        "id": new_id("cmpl-"),
        "object": "text_completion",
        "created": int(time.time()),
        "model": ex.model,
        "system_fingerprint": "fp_simulator",
    }


def _choice(index: int, text: str, finish: str | None) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": finish}


def _stream(
    ex: Exchange, head: dict[str, Any], answers: Sequence[Answer], usage: dict[str, Any]
) -> Iterator[Event]:
    tail = {"usage": None} if wants_usage(ex) else {}
    for index, one in enumerate(answers):
        token = mould(data({**head, "choices": [_choice(index, HOLE, None)], **tail}))
        for piece in one.pieces:
            yield Mark.TOKEN, token(piece)
        last = _choice(index, "", FINISH[one.finish])
        yield Mark.FINISH, data({**head, "choices": [last], **tail})
    if wants_usage(ex):
        yield Mark.USAGE, data({**head, "choices": [], "usage": usage})
    yield Mark.END, DONE
