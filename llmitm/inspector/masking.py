"""What the inspector never shows: the credentials of clients and of providers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from llmitm.config.secret import MASK

Header = tuple[bytes, bytes]

_NAMES = (
    r"authorization|authentication|cookie|set-cookie|signature|credentials?|password|passwd"
    r"|secret|token|key|auth|jwt"
)
# The last word of the name tells: x-api-key is a key, x-ratelimit-remaining-tokens is not.
_HEADER = re.compile(rf"(?:^|[-_.])(?:{_NAMES})$|apikey$".encode(), re.IGNORECASE)
_PUBLIC = frozenset({b"idempotency-key", b"sec-websocket-key", b"prompt-cache-key"})
_QUERY = re.compile(
    rf"(?<=[?&])((?:[^=&#]*[-_.])?(?:{_NAMES})|[^=&#]*apikey)=[^&#]*", re.IGNORECASE
)
# How browsers send a key with a WebSocket of OpenAI's: as the name of a protocol.
_PROTOCOL = b"sec-websocket-protocol"
_PROTOCOL_KEY = re.compile(rb"(api-key\.)[^\s,]+")
_MASK = MASK.encode()
_SHORTEST = 6  # bytes; replacing anything shorter would garble texts


def is_credential(name: bytes) -> bool:
    """Whether a header of this name holds a credential."""
    return name.lower() not in _PUBLIC and _HEADER.search(name) is not None


def mask_headers(fields: Iterable[Header], secrets: Sequence[bytes] = ()) -> tuple[Header, ...]:
    """The header fields with every credential replaced by `*****`."""
    return tuple((name, _value(name, value, secrets)) for name, value in fields)


def mask_path(path: str, secrets: Sequence[bytes] = ()) -> str:
    """A path or URL with the keys in its query replaced."""
    masked = _QUERY.sub(rf"\1={MASK}", path) if "?" in path else path
    return scrub(masked.encode("utf-8", "surrogateescape"), secrets).decode(
        "utf-8", "surrogateescape"
    )


def scrub(data: bytes, secrets: Sequence[bytes]) -> bytes:
    """`data` without any of `secrets`, which an error of a provider may repeat."""
    for secret in secrets:
        if secret in data:
            data = data.replace(secret, _MASK)
    return data


def secrets_of(headers: Iterable[tuple[str, str]]) -> tuple[bytes, ...]:
    """The credentials among the headers of an outgoing request."""
    found = []
    for name, value in headers:
        if is_credential(name.encode("latin-1", "replace")):
            scheme, _, token = value.partition(" ")
            secret = (token or scheme).strip().encode("latin-1", "replace")
            if len(secret) >= _SHORTEST:
                found.append(secret)
    return tuple(found)


def _value(name: bytes, value: bytes, secrets: Sequence[bytes]) -> bytes:
    if is_credential(name):
        return _MASK
    if name.lower() == _PROTOCOL:
        return _PROTOCOL_KEY.sub(rb"\1" + _MASK, value)
    return scrub(value, secrets)
