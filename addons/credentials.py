"""Puts a provider's credential on the outgoing request, and nowhere else."""

from __future__ import annotations

from mitmproxy import http

from llmitm.call import Attempt
from llmitm.credentials import ANTHROPIC_VERSION, credential_headers
from llmitm.runtime import runtime


class Credentials:
    def upstream_request(self, flow: http.HTTPFlow, attempt: Attempt) -> None:
        provider = runtime().gateway.providers[attempt.target.provider]
        if provider.api == "anthropic":
            attempt.headers.setdefault("anthropic-version", ANTHROPIC_VERSION)
        attempt.headers.update(credential_headers(provider))
        attempt.secrets = provider.secrets


addons = [Credentials()]
