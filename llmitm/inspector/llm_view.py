"""The content view "LLM": a request or an answer as people read it, and the story of its call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from mitmproxy import http
from mitmproxy.contentviews import Contentview, Metadata

from llmitm.inspector import render
from llmitm.inspector.conversation import answered, asked, kind_of
from llmitm.inspector.render import heading
from llmitm.inspector.turns import as_json, turn

_PRIORITY = 2.0  # above mitmproxy's own views of JSON and of event streams


class LLMContentview(Contentview):
    """Reads the OpenAI, Anthropic and Ollama APIs; registered by being handed to mitmproxy."""

    @property
    def name(self) -> str:
        return "LLM"

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        kind = kind_of(metadata.flow)
        return _PRIORITY if kind is not None and data else -1

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        """Raises ValueError for what is no JSON: mitmproxy then shows the bytes as they are."""
        dialect, operation = kind_of(metadata.flow) or ("openai", "chat")
        facts = metadata.flow.metadata if metadata.flow is not None else {}
        if isinstance(metadata.http_message, http.Request):
            return "\n".join(_request(dialect, data, facts))
        if (metadata.content_type or "").startswith("text/plain"):
            return "\n".join(_text(data, facts))
        return "\n".join(_answer(dialect, operation, data, facts))


def _request(dialect: str, data: bytes, facts: Mapping[str, Any]) -> Iterator[str]:
    try:
        body = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise ValueError("not JSON, or cut to inspector.body_cap") from fault
    if not isinstance(body, dict):
        raise ValueError("not a JSON object")
    yield f"model       {body.get('model') or facts.get('model') or 'none'}"
    yield from render.settings(body)
    yield ""
    yield from render.conversation(asked(dialect, body))


def _text(data: bytes, facts: Mapping[str, Any]) -> Iterator[str]:
    """An answer that is nothing but its text, as simple endpoints stream it."""
    yield from render.conversation([turn("assistant", data.decode("utf-8", "replace"))])
    yield heading("end")
    yield from render.story(facts)


def _answer(dialect: str, operation: str, data: bytes, facts: Mapping[str, Any]) -> Iterator[str]:
    turns, finish, body = answered(dialect, operation, data)
    yield from render.conversation(turns)
    if body.get("error"):
        yield heading("error")
        yield as_json(body["error"])
        yield ""
    size = facts.get("response_bytes")
    if isinstance(size, int) and size > len(data):
        yield f"(cut: {len(data):,} of {size:,} bytes are kept, see inspector.body_cap)\n"
    yield heading(f"end: {finish}" if finish else "end")
    yield from render.story(facts)
    chunks = facts.get("chunks")
    if isinstance(chunks, str) and " " in chunks:
        yield ""
        yield heading("as it came")
        yield from render.timeline(dialect, operation, data, chunks)
