"""Which request belongs to which endpoint: every path of the seeds, in one table."""

from __future__ import annotations

from llmitm.seeds import agent, alerts, neurogate, nexus, service
from llmitm.seeds.endpoint import Endpoint, Json

ENDPOINTS: dict[str, Endpoint] = {
    "/llm/generate": agent.GENERATE,
    "/llm/stream": agent.STREAM,
    "/generate": service.GENERATE,
    "/classify": alerts.CLASSIFY,
    "/prompt": neurogate.PROMPT,
}
"""Paths to POST to that a model answers."""

SHARED = "/api/generate"
"""The path that is Ollama's too, told apart by the body."""

KNOWN: dict[str, tuple[str, str]] = {
    "/health": ("GET", "health"),
    "/health/llm": ("GET", "health"),
    "/api/health": ("GET", "health"),
    "/workers": ("GET", "workers"),
    "/api/users": ("POST", "users"),
}
"""Paths that the gateway answers itself → their method and operation."""


def endpoint_of(path: str, body: Json | None = None) -> Endpoint | None:
    """The endpoint that a model answers at `path`."""
    if path == SHARED:
        return nexus.GENERATE if nexus.is_nexus(body) else None
    return ENDPOINTS.get(path)


def method_of(path: str) -> str | None:
    """The method that a path of ours takes; None for any other path, and for Ollama's."""
    if path in ENDPOINTS:
        return "POST"
    return KNOWN[path][0] if path in KNOWN else None
