"""Which hosts are APIs of language models, and where their paths are on the gateway."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from llmitm.config.glob import matches
from llmitm.config.schema import Gateway
from llmitm.dialects import paths

# Host, with a port where it is not the usual one, and the beginning of its paths that is /v1 here.
KNOWN: tuple[tuple[str, str], ...] = (
    ("api.openai.com", "/v1"),
    ("api.anthropic.com", "/v1"),
    ("generativelanguage.googleapis.com", "/v1beta/openai"),
    ("*.openai.azure.com", "/openai/v1"),
    ("api.groq.com", "/openai/v1"),
    ("openrouter.ai", "/api/v1"),
    ("api.mistral.ai", "/v1"),
    ("api.deepseek.com", ""),
    ("api.together.xyz", "/v1"),
    ("api.fireworks.ai", "/inference/v1"),
    ("api.x.ai", "/v1"),
    ("localhost:11434", "/v1"),
    ("127.0.0.1:11434", "/v1"),
)


@dataclass(frozen=True, slots=True)
class LlmHost:
    """A host pattern, the port it is for (None for any), and what its paths begin with."""

    pattern: str
    port: int | None
    prefix: str


class LlmHosts:
    """The hosts whose requests go to the gateway."""

    def __init__(self, hosts: Iterable[LlmHost]) -> None:
        self._hosts = tuple(hosts)

    def find(self, host: str | None, port: int) -> LlmHost | None:
        """The entry for a host, the first that fits."""
        name = (host or "").lower().rstrip(".")
        return next(
            (h for h in self._hosts if h.port in (None, port) and matches(h.pattern, name)), None
        )


def llm_hosts(gateway: Gateway, base_urls: Mapping[str, str]) -> LlmHosts:
    """The hosts of the providers, those of `intercept.hosts`, and the well-known ones."""
    return LlmHosts(
        [
            *_providers(gateway, base_urls),
            *(_entry(host, "/v1") for host in gateway.intercept.hosts),
            *(_entry(host, prefix) for host, prefix in KNOWN),
        ]
    )


def gateway_path(path: str, host: LlmHost) -> str:
    """A path of `host`, query included, as the gateway has it."""
    if not _begins(path, host.prefix):
        return path
    rest = path[len(host.prefix) :]
    # An API without a version in its paths takes one: it is the same API.
    known = paths.has_model(paths.recognise("POST", rest)[1])
    return rest if known or _begins(rest, "/v1") or _begins(rest, "/api") else f"/v1{rest}"


def _begins(path: str, prefix: str) -> bool:
    rest = path.removeprefix(prefix)
    return path.startswith(prefix) and (not rest or rest[0] in "/?")


def _providers(gateway: Gateway, base_urls: Mapping[str, str]) -> Iterator[LlmHost]:
    for name, provider in gateway.providers.items():
        parts = urlsplit(base_urls.get(name) or provider.base_url or "")
        if parts.hostname:
            port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
            yield LlmHost(parts.hostname, port, parts.path.rstrip("/"))


def _entry(host: str, prefix: str) -> LlmHost:
    name, colon, port = host.rpartition(":")
    return LlmHost((name or port).lower(), int(port) if colon else None, prefix)
