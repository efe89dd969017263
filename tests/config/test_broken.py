from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.config.configuration import Configuration

BROKEN = sorted(p for p in (Path(__file__).parent / "broken").iterdir() if p.is_dir())
SECRETS = ("admin-canary", "openai-canary", "dev-canary", "other-canary", "hunter2")


@pytest.mark.parametrize("fault", BROKEN, ids=lambda path: path.name)
def test_says_exactly_what_is_wrong(fault: Path, good: Configuration) -> None:
    """A configuration with one fault gives one message: its file, line, path and remedy."""
    shutil.copytree(fault, good.directory, dirs_exist_ok=True)
    expected = (fault / "expected.txt").read_text().splitlines()

    problems = good.problems()

    assert problems == expected
    assert len(expected) == 1
    assert not any(secret in problems[0] for secret in SECRETS)


def test_good_one_loads(good: Configuration) -> None:
    """The configuration that the broken ones are made of has neither problem nor warning."""
    loaded = good.load()

    assert loaded.warnings == ()
    assert set(loaded.files) == set(good.directory.rglob("*.yaml"))
