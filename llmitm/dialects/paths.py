"""Which dialect and operation a request is, told from its method and path.

Paths are those of the OpenAI, Anthropic and Ollama APIs. A known path is one dict lookup.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

Kind = tuple[str, str]

_KNOWN: dict[tuple[str, str], Kind] = {
    ("POST", "/v1/chat/completions"): ("openai", "chat"),
    ("POST", "/v1/completions"): ("openai", "completions"),
    ("POST", "/v1/embeddings"): ("openai", "embeddings"),
    ("POST", "/v1/responses"): ("openai", "responses"),
    ("POST", "/v1/responses/compact"): ("openai", "compact"),
    ("POST", "/v1/responses/input_tokens"): ("openai", "count_tokens"),
    ("GET", "/v1/responses"): ("openai", "realtime"),
    ("GET", "/v1/realtime"): ("openai", "realtime"),
    ("GET", "/v1/live/sessions"): ("openai", "realtime"),
    ("GET", "/v1/models"): ("openai", "models"),
    ("POST", "/v1/images/generations"): ("openai", "images"),
    ("POST", "/v1/images/edits"): ("openai", "images"),
    ("POST", "/v1/images/variations"): ("openai", "images"),
    ("POST", "/v1/audio/speech"): ("openai", "audio"),
    ("POST", "/v1/audio/transcriptions"): ("openai", "audio"),
    ("POST", "/v1/audio/translations"): ("openai", "audio"),
    ("POST", "/v1/messages"): ("anthropic", "messages"),
    ("POST", "/v1/messages/count_tokens"): ("anthropic", "count_tokens"),
    ("POST", "/v1/complete"): ("anthropic", "completions"),
    ("POST", "/api/generate"): ("ollama", "generate"),
    ("POST", "/api/chat"): ("ollama", "chat"),
    ("POST", "/api/embed"): ("ollama", "embed"),
    ("POST", "/api/embeddings"): ("ollama", "embed"),
    ("POST", "/api/show"): ("ollama", "show"),
    ("POST", "/api/pull"): ("ollama", "pull"),
    ("GET", "/api/tags"): ("ollama", "models"),
    ("GET", "/api/version"): ("ollama", "version"),
    ("GET", "/api/ps"): ("ollama", "ps"),
    ("GET", "/"): ("ollama", "root"),
}

_WITH_MODEL = frozenset(
    {
        "chat",
        "completions",
        "embeddings",
        "responses",
        "compact",
        "messages",
        "count_tokens",
        "generate",
        "embed",
        "images",
        "audio",
        "show",
    }
)

# Both APIs have these paths; only Anthropic's clients send the version of theirs.
_SHARED = frozenset({("openai", "models"), ("openai", "files"), ("openai", "other")})

_PREFIXES = ("/openai", "/anthropic", "/ollama")
_ANTHROPIC_ONLY = ("/v1/messages", "/v1/complete/")
_FILES = ("/v1/files", "/v1/uploads")
_REALTIME = ("/v1/realtime/", "/v1/live/")
_MODELS = "/v1/models"
_VERSION = "anthropic-version"


def strip_prefix(path: str) -> str:
    """The path without a leading ``/openai``, ``/anthropic`` or ``/ollama`` that names the API.

    Applications may use ``http://gateway/anthropic`` as their base URL. A query stays in place.
    """
    for prefix in _PREFIXES:
        if path.startswith(prefix):
            rest = path[len(prefix) :]
            if rest.startswith(("/v1/", "/api/")):
                return rest
            if prefix == "/ollama" and rest in ("", "/"):
                return "/"
    return path


def recognise(method: str, path: str, headers: Mapping[str, str] | None = None) -> Kind:
    """Dialect and operation of a request; ("openai", "other") where nothing tells.

    `path` may carry a query; `headers` must look names up in lower case or without regard to it.
    """
    bare = strip_prefix(path.partition("?")[0])
    method = "GET" if method == "HEAD" else method
    kind = _KNOWN.get((method, bare)) or _KNOWN.get((method, bare.rstrip("/") or "/"))
    if kind is None:
        kind = _by_prefix(method, bare)
    if kind in _SHARED and _is_anthropics(path, headers):
        return "anthropic", kind[1]
    return kind


def has_model(operation: str) -> bool:
    """Whether the request body of this operation names the model that it is routed by."""
    return operation in _WITH_MODEL


def manages_models(dialect: str, operation: str) -> bool:
    """Whether a call changes which models an Ollama server has, for everyone who uses it.

    That is pull, push, create, copy, delete, blobs, and whatever else it may come to have.
    """
    return dialect == "ollama" and operation in ("pull", "other")


def model_id(path: str) -> str | None:
    """The model that ``/v1/models/{model}`` asks about; None on any other path."""
    bare = strip_prefix(path.partition("?")[0])
    return unquote(bare[len(_MODELS) + 1 :]) or None if bare.startswith(_MODELS + "/") else None


def _by_prefix(method: str, path: str) -> Kind:
    if path.startswith("/api/"):
        return "ollama", "other"
    if path.startswith(_ANTHROPIC_ONLY):
        return "anthropic", "other"
    if path.startswith(_FILES):
        return "openai", "files"
    if path.startswith(_REALTIME):
        return "openai", "realtime"
    if method == "GET" and path.startswith(_MODELS + "/"):
        return "openai", "models"
    return "openai", "other"


def _is_anthropics(path: str, headers: Mapping[str, str] | None) -> bool:
    return path.startswith("/anthropic/") or (headers is not None and _VERSION in headers)
