"""Whether a provider can be reached and takes our key, asked without spending a token."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from llmitm.config.schema import Provider
from llmitm.credentials import ANTHROPIC_VERSION, credential_headers
from llmitm.engine.upstream import Upstream, UpstreamError

SECONDS = 5.0
_PATHS = {"openai": "/models", "anthropic": "/v1/models", "ollama": "/api/version"}


@dataclass(frozen=True, slots=True)
class Reached:
    """What came of a probe: the status of an answer, or why there was none."""

    status: int | None = None
    fault: str | None = None

    @property
    def refused(self) -> bool:
        """Whether the provider refuses our key."""
        return self.status in (401, 403)

    @property
    def ok(self) -> bool:
        """Whether calls may succeed. A 404 does no harm: not every server lists its models."""
        return self.status is not None and self.status < 500 and not self.refused


async def probe(
    upstream: Upstream, provider: Provider, base_url: str, seconds: float = SECONDS
) -> Reached:
    """Ask the provider at `base_url` for its list of models, or its version. Never raises."""
    path = _PATHS[provider.dialect or "ollama"]
    try:
        async with asyncio.timeout(seconds):
            answer = await upstream.send("GET", base_url + path, _headers(provider), None, seconds)
            answer.close()
    except (UpstreamError, TimeoutError) as fault:
        return Reached(fault=str(fault) or "no answer")
    return Reached(answer.status)


def _headers(provider: Provider) -> dict[str, str]:
    version = {"anthropic-version": ANTHROPIC_VERSION} if provider.api == "anthropic" else {}
    return {**version, **credential_headers(provider)}
