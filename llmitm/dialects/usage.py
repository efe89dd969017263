"""Token counts as providers report them, made one record, and back.

Sources: the usage objects of the OpenAI (chat, responses, images, audio), Anthropic and Ollama
APIs, and where compatible providers differ: DeepSeek names its cache hits, xAI and Gemini leave
reasoning out of the completion but not out of the total.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmitm.call import Usage

_MAX = 2**53


def count(value: Mapping[str, Any], *names: str) -> int:
    """The first of these fields that holds a positive number, as an integer; else 0."""
    for name in names:
        number = value.get(name)
        if isinstance(number, int | float) and not isinstance(number, bool) and number > 0:
            return int(min(number, _MAX))
    return 0


def _part(value: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    for name in names:
        part = value.get(name)
        if isinstance(part, dict):
            return part
    return {}


def from_openai(value: Any) -> Usage | None:
    """The usage object of any OpenAI operation; None where it counts nothing."""
    if not isinstance(value, dict):
        return None
    prompt = count(value, "prompt_tokens", "input_tokens")
    completion = count(value, "completion_tokens", "output_tokens")
    total = count(value, "total_tokens")
    prompt = prompt or max(0, total - completion)
    if not prompt and not completion:
        return None
    given = _part(value, "prompt_tokens_details", "input_tokens_details", "input_token_details")
    made = _part(
        value, "completion_tokens_details", "output_tokens_details", "output_token_details"
    )
    unlisted = max(0, total - prompt - completion)
    cached = count(given, "cached_tokens") or count(
        value, "prompt_cache_hit_tokens", "cached_tokens"
    )
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion + unlisted,
        cached_tokens=min(prompt, cached),
        cache_write_tokens=count(given, "cache_write_tokens"),
        reasoning_tokens=count(made, "reasoning_tokens") or unlisted,
        audio_prompt_tokens=count(given, "audio_tokens"),
        audio_completion_tokens=count(made, "audio_tokens"),
    )


def from_anthropic(value: Any) -> Usage | None:
    """The usage object of a message; all input counts as prompt, the cached part included."""
    if not isinstance(value, dict):
        return None
    split = _part(value, "cache_creation")
    hour = count(split, "ephemeral_1h_input_tokens")
    written = count(value, "cache_creation_input_tokens")
    written = max(written, hour + count(split, "ephemeral_5m_input_tokens"))
    read = count(value, "cache_read_input_tokens")
    prompt = count(value, "input_tokens") + written + read
    completion = count(value, "output_tokens")
    if not prompt and not completion:
        return None
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=read,
        cache_write_tokens=written - hour,
        cache_write_1h_tokens=hour,
        reasoning_tokens=count(_part(value, "output_tokens_details"), "thinking_tokens"),
    )


def from_ollama(value: Any) -> Usage | None:
    """The counts of Ollama's last line; a count that is absent is zero."""
    if not isinstance(value, dict):
        return None
    prompt, completion = count(value, "prompt_eval_count"), count(value, "eval_count")
    if not prompt and not completion:
        return None
    return Usage(prompt_tokens=prompt, completion_tokens=completion)


def to_openai(usage: Usage) -> dict[str, Any]:
    """The usage object of chat and completions."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "audio_tokens": usage.audio_prompt_tokens,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": usage.audio_completion_tokens,
        },
    }


def to_responses(usage: Usage) -> dict[str, Any]:
    """The usage object of a response."""
    written = usage.cache_write_tokens + usage.cache_write_1h_tokens
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": written,
        },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }


def to_anthropic(usage: Usage) -> dict[str, int]:
    """The usage object of a message_delta."""
    written = usage.cache_write_tokens + usage.cache_write_1h_tokens
    return {
        "input_tokens": max(0, usage.prompt_tokens - usage.cached_tokens - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
    }


def to_ollama(usage: Usage) -> dict[str, int]:
    """The counts of the last line; as Ollama does, a zero is left out."""
    counts = {"prompt_eval_count": usage.prompt_tokens, "eval_count": usage.completion_tokens}
    return {name: number for name, number in counts.items() if number}
