"""The Dockerfile: clean by hadolint, and its steps lead to a gateway that is healthy."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import rehearse
from ports import free_ports

from tests.support.tools import ROOT, tool

TEXT = (ROOT / "Dockerfile").read_text()
STEPS = list(rehearse.instructions(TEXT))
IGNORED = (ROOT / ".dockerignore").read_text().split()


def test_lint() -> None:
    """hadolint finds nothing."""
    command = [tool("hadolint"), str(ROOT / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_two_stages() -> None:
    """What builds stays behind, and both stages have one and the same Python, pinned."""
    bases = [text.split()[0] for word, text in STEPS if word == "FROM"]
    assert len(bases) == 2 and len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases[0])


def test_not_root() -> None:
    """It runs as a user of a number, which is what Kubernetes can check."""
    assert ("USER", "10001:10001") in STEPS


def test_packages_are_checked() -> None:
    """Every package that is fetched is checked by its hash."""
    for word, text in STEPS:
        for install in re.findall(r"pip install [^&]*", text) if word == "RUN" else []:
            assert "--require-hashes" in install or "--no-deps dist/*.whl" in install


@pytest.mark.parametrize(
    ("path", "kept_out"),
    [
        ("llmitm/cli.py", False),
        ("addons/auth.py", False),
        ("deploy/docker/gateway.yaml", False),
        ("deploy/terraform/main.tf", True),
        ("requirements/run.txt", False),
        ("tests/conftest.py", True),
        (".env", True),
        (".git/config", True),
        ("data/llmitm.db", True),
        ("llmitm/__pycache__/cli.pyc", True),
        ("policies/keys.yaml", False),
    ],
)
def test_what_the_build_is_given(path: str, kept_out: bool) -> None:
    """The build is given what it needs: no secret, no data, no history."""
    assert rehearse.ignored(path, IGNORED) is kept_out


def test_instructions() -> None:
    """An instruction over several lines is one; comments are none."""
    text = '# a\nFROM python:3.13 AS build\nRUN one \\\n    && two\n# b\nCMD ["x"]\n'
    assert list(rehearse.instructions(text)) == [
        ("FROM", "python:3.13 AS build"),
        ("RUN", "one && two"),
        ("CMD", '["x"]'),
    ]


def test_an_unknown_instruction(tmp_path: Path) -> None:
    """A step that can't be rehearsed is not passed over."""
    with pytest.raises(KeyError, match="ONBUILD"):
        rehearse.Rehearsal(tmp_path, sys.executable).take("ONBUILD", "RUN x")


@pytest.mark.skipif(
    os.environ.get("LLMITM_REQUIRE_ALL") != "1",
    reason="it fetches every package, which takes half a minute; LLMITM_REQUIRE_ALL=1 has it done",
)
def test_every_step(tmp_path: Path) -> None:
    """Done by hand in an empty directory, the steps lead to a gateway that is healthy.

    It listens where its configuration says, and ends when it is told to.
    """
    gateway, admin = map(str, free_ports(2))
    python = str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
    ports = {"HTTP_PORT": gateway, "METRICS_PORT": admin}
    done = rehearse.rehearse(tmp_path / "image", python, ports)
    assert [step.split()[0] for step in done.skipped] == ["groupadd"]
    output = (tmp_path / "image" / "output.log").read_text()
    assert f"0.0.0.0:{gateway}" in output
