"""What counts as a credential, and how it is hidden."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.inspector.masking import (
    is_credential,
    mask_headers,
    mask_path,
    scrub,
    secrets_of,
)

CREDENTIALS = [
    *("Authorization", "proxy-authorization", "x-api-key", "api-key", "X-Goog-Api-Key", "apikey"),
    *("cookie", "Set-Cookie", "x-auth-token", "cf-access-client-secret", "x-amz-security-token"),
]
ORDINARY = [
    *("content-type", "x-ratelimit-remaining-tokens", "idempotency-key", "openai-organization"),
    *("x-stainless-lang", "sec-websocket-key", "user-agent", "author"),
]


@pytest.mark.parametrize("name", CREDENTIALS)
def test_credentials(name: str) -> None:
    """A header whose name ends like a credential's is one."""
    assert is_credential(name.encode())


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_headers(name: str) -> None:
    """Headers that merely speak of tokens or keys stay readable."""
    assert not is_credential(name.encode())


def test_headers_are_masked() -> None:
    """Values of credentials go, and secrets that other headers repeat."""
    fields = [(b"Authorization", b"Bearer abc"), (b"x-echo", b"you sent sekret1"), (b"a", b"b")]
    assert mask_headers(fields, [b"sekret1"]) == (
        (b"Authorization", b"*****"),
        (b"x-echo", b"you sent *****"),
        (b"a", b"b"),
    )


def test_keys_in_websocket_protocols_are_masked() -> None:
    """Browsers send a key as the name of a protocol."""
    fields = [(b"Sec-WebSocket-Protocol", b"realtime, openai-insecure-api-key.sk-1, beta")]
    expected = b"realtime, openai-insecure-api-key.*****, beta"
    assert mask_headers(fields) == ((b"Sec-WebSocket-Protocol", expected),)


PATHS = [
    ("/v1/models", "/v1/models"),
    ("/v1/x?key=abc&n=1", "/v1/x?key=*****&n=1"),
    ("/v1/x?n=1&api-key=abc", "/v1/x?n=1&api-key=*****"),
    ("/v1/x?access_token=abc#top", "/v1/x?access_token=*****#top"),
    ("/v1/x?monkey=see", "/v1/x?monkey=see"),
]


@pytest.mark.parametrize(("path", "masked"), PATHS)
def test_paths(path: str, masked: str) -> None:
    """Keys in a query are hidden, what only looks like one is not."""
    assert mask_path(path) == masked


@given(st.binary(), st.binary(), st.binary(min_size=6, max_size=20))
def test_no_secret_survives(before: bytes, after: bytes, secret: bytes) -> None:
    """Whatever stands around a secret, it is gone."""
    if secret not in b"*" * 20:
        assert secret not in scrub(before + secret + after, [secret]) or secret in before + after


def test_secrets_of_an_outgoing_request() -> None:
    """The tokens of its credential headers, without their scheme; short values are no secrets."""
    headers = {"authorization": "Bearer sk-12345678", "x-api-key": "abcdefgh", "x-token": "no"}
    assert secrets_of(headers.items()) == (b"sk-12345678", b"abcdefgh")
