"""What a whole JSON answer, not streamed, says: its usage, its text, why it ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmitm.call import Usage
from llmitm.dialects import usage
from llmitm.dialects.pieces import pieces

_OUTPUT = ("choices", "output", "content", "message", "thinking", "response", "completion", "text")
# What every answer to these has; a provider that leaves it out says something else.
_CORE = {
    ("openai", "chat"): ("choices",),
    ("openai", "completions"): ("choices",),
    ("openai", "embeddings"): ("data",),
    ("openai", "responses"): ("output",),
    ("anthropic", "messages"): ("content",),
    ("anthropic", "completions"): ("completion",),
    ("ollama", "chat"): ("message",),
    ("ollama", "generate"): ("response",),
    ("ollama", "embed"): ("embeddings", "embedding"),
}
_NOT_BILLED = frozenset(("count_tokens", "models", "files"))


def usage_of(dialect: str, operation: str, body: Mapping[str, Any]) -> Usage | None:
    """The usage that an answer reports; None where it reports none."""
    if operation in _NOT_BILLED:
        return None
    if dialect == "ollama":
        return usage.from_ollama(body)
    read = usage.from_anthropic if dialect == "anthropic" else usage.from_openai
    return read(body.get("usage"))


def is_json(dialect: str, operation: str) -> bool:
    """Whether a whole answer is a JSON object, whatever its provider calls it."""
    return (dialect, operation) in _CORE


def is_answer(dialect: str, operation: str, body: object) -> bool:
    """Whether `body` answers the request, rather than being an error or anything else."""
    core = _CORE.get((dialect, operation))
    if core is None:
        return True
    found = [body.get(name) for name in core] if isinstance(body, dict) else []
    return any(value is not None and (value or core != ("choices",)) for value in found)


def text_of(dialect: str, operation: str, body: Mapping[str, Any]) -> str:
    """The text of an answer as its reader sees it: no reasoning, no tool calls."""
    return "".join(_visible(dialect, operation, body))


def output_of(dialect: str, operation: str, body: Mapping[str, Any]) -> str:
    """All the text that the model wrote, reasoning and tool arguments included, for estimates."""
    return "".join(text for name in _OUTPUT for text in pieces(body.get(name)))


def finish_of(dialect: str, operation: str, body: Mapping[str, Any]) -> str | None:
    """Why the answer ended, in the dialect's own word."""
    if dialect == "anthropic":
        reason = body.get("stop_reason")
    elif dialect == "ollama":
        reason = body.get("done_reason")
    elif operation == "responses":
        reason = _object(body.get("incomplete_details")).get("reason") or body.get("status")
    else:
        reason = next((choice.get("finish_reason") for choice in _objects(body, "choices")), None)
    return reason if isinstance(reason, str) else None


def _visible(dialect: str, operation: str, body: Mapping[str, Any]) -> Iterator[str]:
    if dialect == "anthropic":
        yield from _text_parts(body.get("content"))
        yield from _text_parts(body.get("completion"))
    elif dialect == "ollama":
        yield from _text_parts(_object(body.get("message")).get("content"))
        yield from _text_parts(body.get("response"))
    elif operation == "responses":
        for item in _objects(body, "output"):
            if item.get("type") == "message":
                yield from _text_parts(item.get("content"))
    else:
        for choice in _objects(body, "choices"):
            yield from _text_parts(_object(choice.get("message")).get("content"))
            yield from _text_parts(choice.get("text"))
        yield from _text_parts(body.get("text"))


def _text_parts(content: Any) -> Iterator[str]:
    """The text of a content that is a string or a list of parts."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            text = part.get("text") if isinstance(part, dict) else None
            if isinstance(text, str):
                yield text


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(body: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    values = body.get(name)
    return (
        (value for value in values if isinstance(value, dict))
        if isinstance(values, list)
        else iter(())
    )
