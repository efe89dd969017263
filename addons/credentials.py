"""Puts a provider's credential on the outgoing request, and nowhere else."""

from __future__ import annotations

from mitmproxy import http

from llmitm.call import Attempt
from llmitm.runtime import runtime

ANTHROPIC_VERSION = "2023-06-01"


class Credentials:
    def upstream_request(self, flow: http.HTTPFlow, attempt: Attempt) -> None:
        provider = runtime().gateway.providers[attempt.target.provider]
        headers = attempt.headers
        if provider.api == "anthropic":
            headers.setdefault("anthropic-version", ANTHROPIC_VERSION)
        if provider.api_key is not None:
            secret = provider.api_key.reveal()
            if provider.api == "anthropic":
                headers["x-api-key"] = secret
            else:
                headers["authorization"] = f"Bearer {secret}"
        for name, value in provider.headers.items():
            headers[name.lower()] = value if isinstance(value, str) else value.reveal()


addons = [Credentials()]
