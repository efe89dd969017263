"""A configuration and the commands of workers that are played."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llmitm.config.load import Loaded, load
from llmitm.workers import process
from tests.support.gateway import DEFAULT_POLICIES, default_settings, write

ACTOR = Path(__file__).with_name("actor.py")


def acted(part: str) -> tuple[str, ...]:
    """The command of a worker that plays this part."""
    return (sys.executable, str(ACTOR), part)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A played worker takes its time to start; whoever asks it meanwhile waits."""
    monkeypatch.setattr(process, "COLLECT_SECONDS", 60.0)


@pytest.fixture
def play() -> Callable[[str], tuple[str, ...]]:
    return acted


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    """The configuration of a gateway with two workers."""
    store = {"ledger": "sqlite:///ledger.db", "shared": "redis://127.0.0.1:1/0"}
    settings = {**default_settings("http://127.0.0.1:9"), "workers": 2, "store": store}
    return load(write(tmp_path, settings, DEFAULT_POLICIES), {})
