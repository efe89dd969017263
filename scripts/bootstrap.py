"""Builds .venv/ from the lock files in requirements/. Run by scripts/bootstrap, which finds Python.

Standard library only: it runs before anything is installed. Several may run at once; one works
and the others wait. Where nothing changed since the last run it returns at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pip_settings import pip_settings, uv_settings

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCKS = ROOT / "requirements"
BUILD = LOCKS / "build.txt"
# What each group installs, in steps: a lock file, then arguments of its own.
GROUPS: dict[str, list[tuple[str, ...]]] = {
    "run": [("run.txt",)],
    "demo": [("run.txt",), ("demo.txt",)],
    "dev": [("dev.txt",), ("model.txt", "--no-deps")],
    "docs": [("dev.txt",), ("docs.txt",)],
    "deploy": [("dev.txt",), ("deploy.txt", "--no-deps")],
}


def main(groups: list[str]) -> int:
    """Bring .venv/ up to date for `groups`; the exit status for the shell."""
    unknown = set(groups) - set(GROUPS)
    if unknown:
        print(f"no such group: {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
        return 2
    with only_one():
        for group in groups or ["run"]:
            if stamp(group).is_file() and stamp(group).read_text() == fingerprint(group):
                continue
            started = time.monotonic()
            make_venv()
            install(group)
            stamp(group).write_text(fingerprint(group))
            print(
                f"==> .venv is ready for {group} ({time.monotonic() - started:.0f} s)", flush=True
            )
    return 0


def stamp(group: str) -> Path:
    """The file that says what .venv/ was last built from; gone with .venv/ itself."""
    return VENV / f".stamp-{group}"


def fingerprint(group: str) -> str:
    """What the installation of `group` depends on; a venv can't be moved, so its path counts."""
    files = [BUILD, ROOT / "pyproject.toml", ROOT / "setup.py", Path(__file__)]
    files += [LOCKS / step[0] for step in GROUPS[group]]
    digest = hashlib.sha256()
    for part in [str(ROOT), interpreter(), sys.version, *(f.read_text() for f in files)]:
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()


def interpreter() -> str:
    """The Python that .venv/ is made from, also where .venv's own is the one that runs this."""
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


def make_venv() -> None:
    """A new .venv/ where there is none, or one of another interpreter or place."""
    origin = VENV / ".origin"
    wanted = f"{interpreter()}\n{sys.version}\n{ROOT}\n"
    if origin.is_file() and origin.read_text() == wanted and PYTHON.exists():
        return
    print(f"==> building .venv with Python {sys.version.split()[0]} ({interpreter()})", flush=True)
    run([interpreter(), "-m", "venv", "--clear", str(VENV)])
    origin.write_text(wanted)


def install(group: str) -> None:
    """The locked packages of `group`, then the project itself, editable."""
    print(f"==> installing the packages of {group}", flush=True)
    pip = [str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    run([*pip, "--require-hashes", "--no-deps", "-r", str(BUILD)])
    settings = pip_settings(str(PYTHON))
    for step, *arguments in GROUPS[group]:
        hashed = ["--require-hashes", *arguments, "-r", str(LOCKS / step)]
        if not uv(settings, hashed):
            print("==> uv could not; trying with pip, which takes longer", flush=True)
            run([*pip, *hashed])
    run([*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT)])


def uv(settings: dict[str, str], arguments: list[str]) -> bool:
    """Whether uv, ten times as fast as pip, could install: it doesn't know all that pip does."""
    command = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(PYTHON)]
    return run([*command, *arguments], uv_settings(settings), check=False) == 0


def run(command: list[str], env: dict[str, str] | None = None, check: bool = True) -> int:
    """Run `command` from the root; SystemExit with its words where it fails and must not."""
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    status = subprocess.run(command, cwd=ROOT, env={**clean, **(env or {})}, check=False).returncode
    if check and status:
        raise SystemExit(f"bootstrap: this failed with status {status}: {' '.join(command)}")
    return status


@contextmanager
def only_one() -> Iterator[None]:
    """Hold the lock; the system lets go of it even where the holder is killed."""
    with (ROOT / ".venv.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("==> waiting for another bootstrap of this directory", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
