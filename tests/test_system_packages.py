"""scripts/system-packages installs what is missing, where it may, and says so where it may not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "scripts/system-packages"
NONE = "exit 1"
ALL = "echo installed"


class Debian:
    """A PATH with stand-ins for dpkg-query, id and apt-get, which writes down what it was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        for tool in ("sh", "dirname", "grep"):
            (folder / tool).symlink_to(str(shutil.which(tool)))

    def has(self, tool: str, script: str) -> None:
        (self.folder / tool).write_text(f"#!/bin/sh\n{script}\n")
        (self.folder / tool).chmod(0o755)

    def run(self, query: str, user: int) -> str:
        self.has("dpkg-query", query)
        self.has("id", f"echo {user}")
        self.has("apt-get", f'echo "$RUNLEVEL $*" >> "{self.log}"')
        return self.bare()

    def bare(self) -> str:
        env = {"PATH": str(self.folder)}
        command = ["sh", str(SCRIPT)]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def debian(tmp_path: Path) -> Debian:
    return Debian(tmp_path)


def test_installs_what_is_missing(debian: Debian) -> None:
    """As root the missing packages are installed, and their services not started."""
    debian.run(NONE, user=0)
    update, install = debian.log.read_text().splitlines()
    assert update == "1 update -qq"
    assert install.startswith("1 install")
    assert " chromium fonts-dejavu-core fonts-noto-color-emoji prometheus" in install


def test_does_nothing_where_all_is_there(debian: Debian) -> None:
    """Where every package is installed, nothing is run and nothing said."""
    assert debian.run(ALL, user=0) == ""
    assert not debian.log.exists()


def test_says_what_a_user_has_to_install(debian: Debian) -> None:
    """Where it isn't root, it names what is missing and goes on."""
    assert "sudo apt-get install chromium" in debian.run(NONE, user=1000)
    assert not debian.log.exists()


def test_leaves_other_systems_alone(debian: Debian) -> None:
    """Where there is no apt, it names what the tests would need and goes on."""
    assert "no apt here" in debian.bare()
