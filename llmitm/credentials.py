"""What a provider wants to see of who asks: the headers of an outgoing request that are secret."""

from __future__ import annotations

from llmitm.config.schema import Provider

ANTHROPIC_VERSION = "2023-06-01"


def credential_headers(provider: Provider) -> dict[str, str]:
    """The provider's credential and its configured headers, which win; names in lower case."""
    headers = {}
    if provider.api_key is not None:
        secret = provider.api_key.reveal()
        if provider.api == "anthropic":
            headers["x-api-key"] = secret
        else:
            headers["authorization"] = f"Bearer {secret}"
    for name, value in provider.headers.items():
        headers[name] = value if isinstance(value, str) else value.reveal()
    return headers
