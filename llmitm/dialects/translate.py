"""Which calls need a translation, and which one: every pair of dialects is registered here.

A provider that natively speaks the client's dialect gets the call as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from llmitm.dialects.anthropic_to_openai import MessagesToChat
from llmitm.dialects.completions_to_chat import CompletionsToChat
from llmitm.dialects.ollama_to_openai import OllamaChat, OllamaEmbed, OllamaGenerate
from llmitm.dialects.openai_to_anthropic import ChatToMessages
from llmitm.dialects.responses_to_chat import ResponsesToChat
from llmitm.dialects.translation import Chain, Refused, StreamTranslation, Translation

__all__ = ["StreamTranslation", "Translation", "translation", "upstream_path"]

_ALL: Final = frozenset({"openai", "anthropic", "ollama"})

NATIVE: Final[dict[str, frozenset[str]]] = {
    "openai": frozenset({"openai"}),
    "anthropic": frozenset({"anthropic"}),
    "ollama": _ALL,  # Ollama serves /v1/chat/completions, /v1/messages and their kin itself
    "simulator": _ALL,
}
"""Provider API: the client dialects that it speaks."""

PAIRS: Final[dict[tuple[str, str, str], Callable[[], Translation]]] = {
    ("openai", "chat", "anthropic"): ChatToMessages,
    ("openai", "completions", "anthropic"): lambda: Chain(CompletionsToChat(), ChatToMessages()),
    ("openai", "responses", "openai"): ResponsesToChat,
    ("openai", "responses", "anthropic"): lambda: Chain(
        ResponsesToChat(thinking=True), ChatToMessages()
    ),
    ("anthropic", "messages", "openai"): MessagesToChat,
    ("ollama", "chat", "openai"): OllamaChat,
    ("ollama", "generate", "openai"): OllamaGenerate,
    ("ollama", "embed", "openai"): OllamaEmbed,
    ("ollama", "embeddings", "openai"): OllamaEmbed,
    ("ollama", "chat", "anthropic"): lambda: Chain(OllamaChat(), ChatToMessages()),
    ("ollama", "generate", "anthropic"): lambda: Chain(OllamaGenerate(), ChatToMessages()),
}
"""Client dialect, operation and provider API: how to make the translation of one attempt."""

_RESPONSES: Final = frozenset({"responses", "compact"})

_REMEDY: Final = {
    ("openai", "compact"): "only OpenAI compacts; send fewer items, or a summary of them",
    ("openai", "embeddings"): "Anthropic has no embeddings; route the model to another provider",
    ("ollama", "embed"): "Anthropic has no embeddings; route the model to another provider",
}


def translation(
    client_dialect: str, operation: str, provider_api: str, *, responses: bool = True
) -> Translation | None:
    """The translation of one attempt; None where the provider speaks the client's dialect.

    `responses` is False for one that has OpenAI's Chat Completions, but not the Responses API.
    For a call that can't be told in the provider's dialect, one whose `request` says so.
    """
    if client_dialect in NATIVE.get(provider_api, {provider_api}):
        if responses or operation not in _RESPONSES:
            return None
        provider_api = client_dialect
    make = PAIRS.get((client_dialect, operation, provider_api))
    if make is not None:
        return make()
    remedy = _REMEDY.get(
        (client_dialect, operation), "route the model to a provider that speaks it"
    )
    message = f"{client_dialect}'s {operation} cannot be told to the {provider_api} API: {remedy}."
    return Refused(client_dialect, message)


def upstream_path(client_dialect: str, operation: str, path: str, provider_api: str) -> str:
    """The path to ask the provider for, with its leading ``/v1``; `path` itself in passthrough."""
    pair = translation(client_dialect, operation, provider_api)
    return path if pair is None else pair.path or path
