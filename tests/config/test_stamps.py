"""Versions of files are told apart without reading them."""

from __future__ import annotations

import os
from pathlib import Path

from llmitm.config.stamps import stamp, stamps


def test_stamps(tmp_path: Path) -> None:
    """A file that was written or replaced has another stamp; only YAML files count."""
    path = tmp_path / "keys.yaml"
    assert (stamp(path), stamps(tmp_path), stamps(None)) == (None, {}, {})
    path.write_text("keys: []")
    (tmp_path / "notes.txt").touch()
    first = stamps(tmp_path)
    assert first == {path: stamp(path)}
    os.utime(path, ns=(1, 1))
    assert stamps(tmp_path) != first
    new = tmp_path / "new"
    new.write_text("keys: []")
    os.utime(new, ns=(1, 1))
    second = stamps(tmp_path)
    new.rename(path)
    assert stamps(tmp_path) != second
