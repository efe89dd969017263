"""Who calls: the client's key becomes a principal, and leaves the flow."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from urllib.parse import urlsplit

from mitmproxy import http

from llmitm.call import Principal, call_of
from llmitm.config.address import is_loopback
from llmitm.errors import Cause, GatewayError
from llmitm.runtime import runtime

# Where SDKs put the key: OpenAI and Ollama, Anthropic, Azure, Gemini.
KEY_HEADERS = (b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key")
ANONYMOUS = Principal(key="anonymous")
# What anyone may call to see whether a server is there; it says nothing about anyone.
OPEN_OPERATIONS = frozenset({"root", "health"})


def take_key(headers: http.Headers) -> bytes | None:
    """Take the key that a client presents out of its headers; the first of `KEY_HEADERS` counts."""
    sent: dict[bytes, bytes] = {
        name.lower(): value for name, value in headers.fields if name.lower() in KEY_HEADERS
    }
    if not sent:
        return None
    headers.fields = tuple(f for f in headers.fields if f[0].lower() not in KEY_HEADERS)
    value = next((sent[name] for name in KEY_HEADERS if sent.get(name)), b"").strip()
    scheme, _, token = value.partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" and token else value or None


def is_foreign(origin: str | None) -> bool:
    """Whether a page of some web site asks: browsers let it send requests to this machine too."""
    if origin is None:
        return False
    try:
        parts = urlsplit(origin)
    except ValueError:
        return True
    # Desktop apps and extensions have schemes of their own, which no web site can have.
    is_page = parts.scheme in ("http", "https", "")
    return is_page and not is_loopback(parts.hostname or "")


class Auth:
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if flow.response:
            return
        call = call_of(flow)
        secret = take_key(flow.request.headers)
        if "key=" in flow.request.path:
            asked = flow.request.query.pop("key", None)
            secret = asked.encode("utf-8", "surrogateescape") if asked else secret
        digest = hashlib.sha256(secret).hexdigest() if secret is not None else None
        call.principal = self.principal(call.key_digest or digest, call.operation)
        if call.principal is ANONYMOUS and is_foreign(flow.request.headers.get("origin")):
            raise GatewayError(Cause.AUTHENTICATION, "A web page needs an API key here.")

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
