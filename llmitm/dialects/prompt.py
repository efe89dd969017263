"""What a request asks a model to read and to write: for estimates before it is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmitm.dialects.pieces import as_json, pieces

# The fields that hold text, and the fields whose JSON is part of the prompt.
_PROMPT: dict[tuple[str, str], tuple[tuple[str, ...], tuple[str, ...]]] = {
    ("openai", "chat"): (("messages",), ("tools", "functions", "response_format")),
    ("openai", "completions"): (("prompt", "suffix"), ()),
    ("openai", "responses"): (("instructions", "input"), ("tools", "text")),
    ("openai", "compact"): (("instructions", "input"), ()),
    ("openai", "count_tokens"): (("instructions", "input"), ("tools", "text")),
    ("openai", "embeddings"): (("input",), ()),
    ("openai", "images"): (("prompt",), ()),
    ("openai", "audio"): (("instructions", "input", "prompt"), ()),
    ("anthropic", "messages"): (("system", "messages"), ("tools", "output_config")),
    ("anthropic", "count_tokens"): (("system", "messages"), ("tools", "output_config")),
    ("anthropic", "completions"): (("prompt",), ()),
    ("ollama", "chat"): (("messages",), ("tools", "format")),
    ("ollama", "generate"): (("system", "template", "prompt", "suffix", "context"), ("format",)),
    ("ollama", "embed"): (("input", "prompt"), ()),
}

_LIMITS: dict[tuple[str, str], tuple[str, ...]] = {
    ("openai", "chat"): ("max_completion_tokens", "max_tokens"),
    ("openai", "completions"): ("max_tokens",),
    ("openai", "responses"): ("max_output_tokens",),
    ("anthropic", "messages"): ("max_tokens",),
    ("anthropic", "completions"): ("max_tokens_to_sample",),
    ("ollama", "chat"): ("num_predict",),
    ("ollama", "generate"): ("num_predict",),
}
_NO_OUTPUT = frozenset(("embeddings", "embed", "count_tokens"))


def prompt_text(dialect: str, operation: str, body: Mapping[str, Any]) -> Iterator[str]:
    """The texts of a request that count as prompt: messages, system, tools, schemas, input."""
    texts, structured = _PROMPT.get((dialect, operation), ((), ()))
    for name in texts:
        yield from pieces(body.get(name))
    for name in structured:
        if text := as_json(body.get(name)):
            yield text


def output_limits(dialect: str, operation: str) -> tuple[str, ...]:
    """The fields that limit an answer's length, the newest first; Ollama's are in `options`."""
    return _LIMITS.get((dialect, operation), ())


def max_output(dialect: str, operation: str, body: Mapping[str, Any]) -> int | None:
    """The most output tokens a request allows, over all its choices; None for no limit."""
    if operation in _NO_OUTPUT:
        return 0
    holder = body.get("options") if dialect == "ollama" else body
    if not isinstance(holder, Mapping):
        return None
    names = _LIMITS.get((dialect, operation), ())
    limit = next((number for name in names if (number := _number(holder.get(name)))), None)
    return limit * answers(body) if limit else None


def limited(
    dialect: str, operation: str, body: Mapping[str, Any], limit: int
) -> dict[str, Any] | None:
    """The changes that bound each answer of a request to `limit` output tokens.

    None where the operation has no field for it.
    """
    names = _LIMITS.get((dialect, operation), ())
    if not names:
        return None
    if dialect != "ollama":
        return {names[0]: limit}
    options = body.get("options")
    return {"options": {**(options if isinstance(options, Mapping) else {}), names[0]: limit}}


def answers(body: Mapping[str, Any]) -> int:
    """How many answers a request makes: `n`, or what `best_of` makes, for each of its prompts."""
    prompt = body.get("prompt")
    prompts = len(prompt) if isinstance(prompt, list) and not _is_ids(prompt) else 1
    return max(1, prompts) * max(_number(body.get("n")) or 1, _number(body.get("best_of")) or 1)


def _is_ids(prompt: list[Any]) -> bool:
    return bool(prompt) and isinstance(prompt[0], int)


def _number(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None
