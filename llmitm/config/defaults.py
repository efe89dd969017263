"""What holds where a configuration says nothing: usual routes, and where the ledger is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmitm.config.environment import Environment
from llmitm.config.providers import BASE_URLS

USUAL_MODELS: dict[str, tuple[str, ...]] = {
    "openai": (
        *("gpt-*", "o1*", "o3*", "o4*", "chatgpt-*", "codex-*", "computer-use-*", "ft:*"),
        *("text-embedding-*", "omni-moderation-*", "text-moderation-*"),
        *("dall-e-*", "sora-*", "tts-*", "whisper-*", "davinci-*", "babbage-*"),
    ),
    "anthropic": ("claude-*",),
    "gemini": ("gemini-*", "models/gemini-*", "gemma-*"),
}


def default_ledger(env: Mapping[str, str]) -> str:
    """The ledger in the user's data directory, as a SQLite URL."""
    return f"sqlite:///{data_directory(env) / 'llmitm.db'}"


def data_directory(env: Mapping[str, str]) -> Path:
    """The user's data directory of llmitm."""
    environment = Environment(env)
    data = environment.get("LLMITM_DATA_DIR")
    shared = environment.get("XDG_DATA_HOME")
    home = Path(env.get("HOME") or Path.home())
    directory = Path(data) if data else Path(shared or home / ".local/share") / "llmitm"
    return directory.absolute()


def default_routes(providers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Routes by the usual model names of each API, and one for what serves any model.

    `providers` are the entries of `gateway.yaml`, in order; the first one of an API counts.
    """
    entries = {name: entry for name, entry in providers.items() if isinstance(entry, dict)}
    firsts = {entry.get("api"): name for name, entry in reversed(entries.items())}
    usual = [
        route_to([firsts[api]], model)
        for api, models in USUAL_MODELS.items()
        if api in firsts
        for model in models
    ]
    return [*usual, *_catch_all(entries)]


def route_to(names: list[str], model: str) -> dict[str, Any]:
    """A route from `model` to the providers of these names, which get the model as asked."""
    targets = [{"provider": name, "model": "*"} for name in names]
    strategy = "round_robin" if len(names) > 1 else "priority"
    return {"model": model, "strategy": strategy, "targets": targets}


def _catch_all(entries: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Every other model: to Ollama, else a server of one's own, else the simulator."""
    local = [name for name, entry in entries.items() if entry.get("api") == "ollama"]
    own = [name for name, entry in entries.items() if _is_own(entry)]
    simulators = [name for name, entry in entries.items() if entry.get("api") == "simulator"]
    names = local or own[:1] or simulators[:1]
    return [route_to(names, "*")] if names else []


def _is_own(entry: Mapping[str, Any]) -> bool:
    """Whether an OpenAI-compatible server may have models of any name."""
    url = entry.get("base_url")
    return entry.get("api") == "openai" and bool(url) and url != BASE_URLS["openai"]
