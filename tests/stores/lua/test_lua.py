"""The scripts of the shared store."""

from __future__ import annotations

import hashlib

import pytest

from llmitm.stores.lua import script


@pytest.mark.parametrize("name", ["take", "settle", "renew", "restore", "level"])
def test_script(name: str) -> None:
    """Each has what they share in front, and the name the store gives it."""
    found = script(name)
    assert found.text.startswith("-- Accounts of allowances.")
    assert found.sha == hashlib.sha1(found.text.encode(), usedforsecurity=False).hexdigest()
