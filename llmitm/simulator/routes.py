"""Which function answers which path, and in which dialect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from llmitm.simulator import (
    anthropic,
    ollama,
    openai_chat,
    openai_files,
    openai_media,
    openai_realtime,
    openai_responses,
    openai_text,
)
from llmitm.simulator.exchange import Exchange
from llmitm.simulator.refusals import Refusal, Refused
from llmitm.simulator.reply import Reply

type Handler = Callable[[Exchange], Reply]


@dataclass(frozen=True, slots=True)
class Route:
    """A function and the dialect of its errors. `last` is the end of a path with an id in it."""

    dialect: str
    handler: Handler
    last: str = ""


class Routes:
    """The table of paths. A path that ends in a slash takes anything as its last part."""

    def __init__(self, files: openai_files.Files) -> None:
        self._table: dict[tuple[str, str], Handler] = {
            ("POST", "/v1/chat/completions"): openai_chat.chat,
            ("POST", "/v1/completions"): openai_text.completions,
            ("POST", "/v1/embeddings"): openai_text.embeddings,
            ("POST", "/v1/responses"): openai_responses.responses,
            ("POST", "/v1/audio/transcriptions"): openai_media.transcriptions,
            ("POST", "/v1/images/generations"): openai_media.images,
            ("POST", "/v1/moderations"): openai_media.moderations,
            ("GET", "/v1/realtime"): openai_realtime.handshake,
            ("GET", "/v1/models"): openai_files.models,
            ("GET", "/v1/models/"): openai_files.model,
            ("POST", "/v1/files"): files.upload,
            ("GET", "/v1/files"): files.list,
            ("GET", "/v1/files/"): files.get,
            ("DELETE", "/v1/files/"): files.delete,
            ("POST", "/v1/messages"): anthropic.messages,
            ("POST", "/v1/messages/count_tokens"): anthropic.count_tokens,
            ("GET", "/"): ollama.root,
            ("GET", "/api/version"): ollama.version,
            ("GET", "/api/tags"): ollama.tags,
            ("GET", "/api/ps"): ollama.ps,
            ("POST", "/api/show"): ollama.show,
            ("POST", "/api/generate"): ollama.generate,
            ("POST", "/api/chat"): ollama.chat,
            ("POST", "/api/embed"): ollama.embed,
            ("POST", "/api/embeddings"): ollama.embeddings,
        }

    @property
    def paths(self) -> Iterable[tuple[str, str]]:
        """The methods and paths that are answered."""
        return self._table.keys()

    def find(self, method: str, path: str, headers: Mapping[str, str]) -> Route:
        """The route of a request; where there is none, one whose handler raises Refused."""
        method = "GET" if method == "HEAD" else method
        dialect = dialect_of(path, headers)
        handler = self._table.get((method, path))
        if handler is not None:
            return Route(dialect, _for_dialect(handler, dialect))
        parent, _, last = path.rpartition("/")
        handler = self._table.get((method, f"{parent}/")) if parent and last else None
        if handler is not None:
            return Route(dialect, _for_dialect(handler, dialect), last)
        return Route(dialect, _unknown(method, path))


def dialect_of(path: str, headers: Mapping[str, str]) -> str:
    """The dialect that a path belongs to."""
    if path == "/" or path.startswith("/api/"):
        return "ollama"
    if path.startswith("/v1/messages"):
        return "anthropic"
    models = path.startswith("/v1/models") and "anthropic-version" in headers
    return "anthropic" if models else "openai"


_ANTHROPIC: dict[Handler, Handler] = {
    openai_files.models: anthropic.models,
    openai_files.model: anthropic.model,
}


def _for_dialect(handler: Handler, dialect: str) -> Handler:
    """OpenAI and Anthropic share the paths of their models."""
    return _ANTHROPIC.get(handler, handler) if dialect == "anthropic" else handler


def _unknown(method: str, path: str) -> Handler:
    def handler(ex: Exchange) -> Reply:
        message = f"Invalid URL ({method} {path})"
        raise Refused(Refusal(404, message, anthropic_type="not_found_error"))

    return handler
