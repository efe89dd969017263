"""Fixtures for tests of the whole gateway."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, settings

from tests.support.gateway import Starter

# How long something takes on a busy machine says nothing about whether it is right.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
# What httpx gives a reply where a test doesn't say: by itself five seconds.
REPLY_SECONDS = 60.0
for limit in ("connect", "read", "write", "pool"):
    setattr(httpx._config.DEFAULT_TIMEOUT_CONFIG, limit, REPLY_SECONDS)


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Commands that run in a test's process configure logging for all of it."""
    root, proxy = logging.getLogger(), logging.getLogger("mitmproxy")
    before = root.level, root.handlers[:], proxy.level
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    proxy.setLevel(before[2])


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[Starter]:
    starter = Starter(tmp_path)
    yield starter
    starter.close()
