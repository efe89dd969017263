"""What is taken out of text that is kept, and what is not."""

from __future__ import annotations

import time

import pytest

from llmitm.policy.redact import redact

HIDDEN = [
    ("ava.b+c@mail.example.co.uk!", "[email]!"),
    ("4111 1111 1111 1111", "[card]"),
    ("4111-1111-1111-1111,", "[card],"),
    ("378282246310005", "[card]"),
    ("+49 30 1234567", "[phone]"),
    ("+1 (415) 555-2671", "[phone]"),
    ("call 415-555-2671 now", "call [phone] now"),
    ("(030) 1234 5678", "[phone]"),
    ("sk-proj-abcdefghij0123456789", "[key]"),
    ("sk-llmitm-abcdefghij0123456789_-", "[key]"),
    ("AKIAIOSFODNN7EXAMPLE", "[key]"),
    ("ghp_" + "a" * 36, "[key]"),
    ("xoxb-1234567890-abcdef", "[key]"),
    ("AIza" + "x" * 35, "[key]"),
    ("Authorization: Bearer abcdef0123456789abcdef", "Authorization: Bearer [key]"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0x.c2lnbmF0dXJlMTIz", "[key]"),
    ("-----BEGIN RSA PRIVATE KEY-----\\nMII\\n-----END RSA PRIVATE KEY-----", "[key]"),
]
KEPT = [
    "1795262400",
    "4111 1111 1111 1112",  # the check digit is wrong
    "2026-11-21 12:00:00",
    "version 1.2.3-4",
    "3.14159265358979323",
    "192.168.100.200",
    "a@b",
    "sk-short",
    '{"role":"user","content":"hi","n":123456789012}',
]


@pytest.mark.parametrize(("text", "left"), HIDDEN)
def test_hidden(text: str, left: str) -> None:
    """Addresses, card and phone numbers, keys and tokens give way to their kind."""
    assert redact(text) == left


@pytest.mark.parametrize("text", KEPT)
def test_kept(text: str) -> None:
    """Times, versions, addresses of machines and other numbers stay."""
    assert redact(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "a" * 200_000,
        "1 " * 100_000,
        "a@" * 100_000,
        "+1" * 100_000,
        "-----BEGIN PRIVATE KEY-----" * 5000,
    ],
    ids=["word", "digits", "addresses", "numbers", "keys"],
)
def test_hostile_text(text: str) -> None:
    """Nobody can keep it busy with a text made for that."""
    started = time.process_time()
    redact(text)
    assert time.process_time() - started < 2
