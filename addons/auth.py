"""Who calls: the client's key becomes a principal, and leaves the flow."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from mitmproxy import http

from llmitm.call import Principal, call_of
from llmitm.errors import Cause, GatewayError
from llmitm.runtime import runtime

# Where SDKs put the key: OpenAI and Ollama, Anthropic, Azure, Gemini.
KEY_HEADERS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")
ANONYMOUS = Principal(key="anonymous")
# What anyone may call to see whether a server is there; it says nothing about anyone.
OPEN_OPERATIONS = frozenset({"root", "health"})


def presented(headers: http.Headers) -> str | None:
    """The key that a client presents, from the first header that has one."""
    for name in KEY_HEADERS:
        value: str | None = headers.get(name)
        if value:
            scheme, _, token = value.partition(" ")
            return token.strip() if scheme.lower() == "bearer" and token else value.strip()
    return None


class Auth:
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if flow.response:
            return
        call = call_of(flow)
        secret = presented(flow.request.headers)
        for name in KEY_HEADERS:
            flow.request.headers.pop(name, None)
        if "key=" in flow.request.path:
            secret = flow.request.query.pop("key", None) or secret
        digest = hashlib.sha256(secret.encode()).hexdigest() if secret is not None else None
        call.principal = self.principal(call.key_digest or digest, call.operation)

    def principal(self, digest: str | None, operation: str) -> Principal:
        """The principal for a key's digest. Raises GatewayError where there is none."""
        live = runtime()
        if digest is not None:
            key = live.keyring.find(digest)
            if key is not None:
                if key.expires is not None and key.expires <= datetime.now(UTC):
                    raise GatewayError(Cause.AUTHENTICATION, "This API key has expired.")
                return Principal(key=key.id, user=key.user, team=key.team, policy=key)
        if live.gateway.auth == "anonymous" or operation in OPEN_OPERATIONS:
            return ANONYMOUS
        if digest is None:
            raise GatewayError(
                Cause.AUTHENTICATION,
                "No API key. Send it as 'Authorization: Bearer KEY' or in x-api-key.",
            )
        raise GatewayError(Cause.AUTHENTICATION, "Incorrect API key.")


addons = [Auth()]
