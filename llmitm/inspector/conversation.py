"""The turns of a request or an answer of the three dialects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from mitmproxy import flow as mitm_flow
from mitmproxy import http

from llmitm import dialects
from llmitm.dialects import paths
from llmitm.inspector.fold import fold
from llmitm.inspector.turns import Turn, message, text, turn

Json = Mapping[str, Any]

# By how a path ends: providers have their own beginnings of it.
_BY_END = (
    ("/chat/completions", ("openai", "chat")),
    ("/responses", ("openai", "responses")),
    ("/embeddings", ("openai", "embeddings")),
    ("/completions", ("openai", "completions")),
    ("/messages", ("anthropic", "messages")),
    ("/messages/count_tokens", ("anthropic", "count_tokens")),
    ("/api/chat", ("ollama", "chat")),
    ("/api/generate", ("ollama", "generate")),
    ("/api/embed", ("ollama", "embed")),
)


def kind_of(flow: mitm_flow.Flow | None) -> tuple[str, str] | None:
    """Dialect and operation of a flow; None where it is no call of a language model."""
    if not isinstance(flow, http.HTTPFlow):
        return None
    path = flow.request.path.partition("?")[0].rstrip("/")
    known = next((kind for end, kind in _BY_END if path.endswith(end)), None)
    if known is not None:
        return known
    kind = paths.recognise(flow.request.method, path or "/", flow.request.headers)
    return kind if paths.has_model(kind[1]) else None


def asked(dialect: str, body: Json) -> list[Turn]:
    """What a request says: system, messages, prompt or input."""
    return [one for one in _asked(dialect, body) if one.pieces]


def answered(dialect: str, operation: str, data: bytes) -> tuple[list[Turn], str | None, Json]:
    """The turns of an answer, why it ended, and the answer as one JSON object.

    Streams are put together. Raises ValueError for what is neither JSON nor a stream of it.
    """
    body = _whole(data)
    if body is None:
        body = fold(dialect, operation, data)
    turns = [one for one in _answered(body) if one.pieces]
    return turns, dialects.finish_of(dialect, operation, body), body


def _whole(data: bytes) -> Json | None:
    """The body as one JSON object; None where it is a stream. Raises ValueError for neither."""
    stripped = data.strip()
    if stripped.startswith((b"data:", b"event:", b":", b"id:", b"retry:")):
        return None
    try:
        value = msgspec.json.decode(stripped)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        if stripped.startswith(b"{"):  # JSON lines, or JSON that was cut
            return None
        raise ValueError("not an answer of a language model") from fault
    if not isinstance(value, dict):
        raise ValueError("not an answer of a language model")
    return value if "done" not in value or value.get("done") is True else None


def _asked(dialect: str, body: Json) -> Iterator[Turn]:
    for name in ("system", "instructions"):
        yield turn("system", body.get(name))
    messages = body.get("messages")
    if isinstance(messages, list):
        yield from _messages(messages)
    for name in ("input", "prompt"):
        value = body.get(name)
        if isinstance(value, list) and any(isinstance(item, dict) for item in value):
            yield from _messages(value)
        else:
            yield turn("user" if dialect == "ollama" or name == "input" else name, value)
    if images := body.get("images"):
        yield message({"role": "user", "images": images})


def _messages(values: list[Any]) -> Iterator[Turn]:
    for value in values:
        if not isinstance(value, dict):
            yield turn("user", value)
        elif "role" in value:
            yield message(value)
        else:  # an item of the Responses API that is no message
            yield turn(_ITEM_ROLES.get(text(value.get("type")), "assistant"), value)


_ITEM_ROLES = {"function_call_output": "tool", "computer_call_output": "tool"}


def _answered(body: Json) -> Iterator[Turn]:
    for read in _ANSWERS:
        yield from read(body)


def _choices(body: Json) -> Iterator[Turn]:
    choices = body.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict):
            said = choice.get("message")
            yield message(said) if isinstance(said, dict) else turn("assistant")
            yield turn("assistant", choice.get("text"))


def _content(body: Json) -> Iterator[Turn]:
    if "choices" not in body:
        yield turn(text(body.get("role")) or "assistant", body.get("content"))


def _ollama(body: Json) -> Iterator[Turn]:
    said = body.get("message")
    if isinstance(said, dict):
        yield message(said)
    if isinstance(body.get("response"), str):
        yield message({"content": body["response"], "thinking": body.get("thinking")})


def _output(body: Json) -> Iterator[Turn]:
    output = body.get("output")
    for item in output if isinstance(output, list) else ():
        yield turn("assistant", item)


_ANSWERS: tuple[Callable[[Json], Iterator[Turn]], ...] = (_choices, _content, _ollama, _output)
