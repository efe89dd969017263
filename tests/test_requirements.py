"""The lock files pin all that requirements/*.in ask for, with hashes, and agree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "requirements"
PIN = re.compile(r"^([\w.-]+)==(\S+)(?: ; (\S.*?))? \\$", re.MULTILINE)
NAMES = ("build", "run", "demo", "dev", "docs", "deploy", "model")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(name: str) -> set[tuple[str, str, str]]:
    """Name, version and marker of everything that a lock file pins."""
    found = PIN.findall((FOLDER / f"{name}.txt").read_text())
    return {(canonical(package), version, marker) for package, version, marker in found}


def versions(name: str) -> set[tuple[str, str]]:
    return {(package, version) for package, version, _ in pins(name)}


@pytest.mark.parametrize("name", NAMES)
def test_lock_pins_what_is_asked_for(name: str) -> None:
    """Each package of the .in file is pinned in the .txt file beside it."""
    lines = (FOLDER / f"{name}.in").read_text().splitlines()
    asked = {canonical(m[0]) for line in lines if (m := re.match(r"\w[\w.-]*", line))}
    assert asked - {package for package, _, _ in pins(name)} == set()


@pytest.mark.parametrize("name", NAMES)
def test_lock_has_hashes_only(name: str) -> None:
    """A lock file has pins and their hashes: no address, no option of one machine."""
    text = (FOLDER / f"{name}.txt").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    hashes = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")
    assert [line for line in lines if not (PIN.match(line) or hashes.fullmatch(line))] == []
    assert all(hashes.match(lines[i + 1]) for i, line in enumerate(lines) if PIN.match(line))


@pytest.mark.parametrize("name", ["run", "demo"])
def test_dev_is_that_and_more(name: str) -> None:
    """What the tests run with is exactly what users run, with tools beside it."""
    assert versions(name) - versions("dev") == set()
