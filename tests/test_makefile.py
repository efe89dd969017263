"""A make target that needs a tool which isn't there says so."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NEEDS = {
    "docker": ["docker", "docker-push", "up", "down", "restart", "logs", "local-docker-start"],
    "kind": ["kind-create"],
    "helm": ["deploy", "undeploy"],
    "kubectl": ["status", "demo-k8s"],
    "terraform": ["tf-init", "tf-apply"],
}
CASES = [(target, tool) for tool, targets in NEEDS.items() for target in targets]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A PATH with only what make itself needs."""
    for tool in ("sh", "make", "sed"):
        (tmp_path / tool).symlink_to(str(shutil.which(tool)))
    return tmp_path


def make(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["make", *arguments]
    env = {"PATH": str(path)}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("target", "tool"), CASES)
def test_missing_tool_is_named(path: Path, target: str, tool: str) -> None:
    """The target and the tool are named, with the page that tells how to get it."""
    done = make(path, target)
    assert done.returncode == 2
    assert f"needs {tool}, which is not installed; see the page" in done.stderr


def test_docker_without_its_engine(path: Path) -> None:
    """docker alone is not enough where no engine answers it."""
    docker = path / "docker"
    docker.write_text("#!/bin/sh\nexit 1\n")
    docker.chmod(0o755)
    done = make(path, "up")
    assert done.returncode == 2
    assert "make up needs a running Docker engine" in done.stderr
