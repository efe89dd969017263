"""Fixtures for tests of the whole gateway."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gateway import Starter


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
