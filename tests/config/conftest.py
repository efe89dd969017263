"""Configurations for tests: none, one without a fault, single documents."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from llmitm.config.source import read
from tests.config.configuration import Configuration, Parse

HERE = Path(__file__).parent


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    """A working directory without any file."""
    monkeypatch.chdir(tmp_path)
    return Configuration(tmp_path)


@pytest.fixture
def good(empty: Configuration) -> Configuration:
    """The configuration in `good/`."""
    shutil.copytree(HERE / "good", empty.directory, dirs_exist_ok=True)
    return empty


@pytest.fixture
def parse(empty: Configuration) -> Parse:
    """Reads a YAML text as the file `some.yaml`."""
    return lambda text: read(empty.write("some.yaml", text), empty.env)
