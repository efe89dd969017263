"""Fixtures for tests of commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.gateway import DEFAULT_POLICIES, default_settings, write


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A gateway.yaml with its policies and a ledger that is not there yet."""
    settings = default_settings("http://127.0.0.1:9")
    keys = {
        "users": [{"id": "ava"}],
        "keys": [
            {"id": "dev", "key": "sk-client-0123456789", "user": "ava", "models": ["[ab]*"]},
            {"id": "old", "key": "sk-old", "expires": "2020-01-01"},
            {"id": "off", "key": "sk-off", "enabled": False},
        ],
    }
    return write(tmp_path, settings, {**DEFAULT_POLICIES, "keys": keys})
