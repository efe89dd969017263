"""Resolves requirements/*.in into hashed locks for every platform; arguments go to uv."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pip_settings import pip_settings, uv_settings

FOLDER = Path(__file__).resolve().parent.parent / "requirements"
# In this order: the later ones are held to what the earlier ones chose.
LOCKS: dict[str, tuple[str, ...]] = {
    "build": (),
    "run": (),
    "dev": (),
    "demo": (),
    "docs": (),
    "deploy": ("--no-deps",),
    "model": ("--no-deps",),
}
# No index, no host and no local path may get into a lock: it has to serve every machine.
OPTIONS = [
    *("--quiet", "--universal", "--python-version", "3.12", "--generate-hashes"),
    *("--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
]


def main(arguments: list[str]) -> None:
    """Write every lock anew; raises CalledProcessError where one can't be resolved."""
    settings = pip_settings(sys.executable)
    for extra in ("extra-index-url", "find-links"):  # what only this machine has must not decide
        settings.pop(extra, None)
    env = {**os.environ, **uv_settings(settings)}
    uv = [str(Path(sys.executable).parent / "uv"), "pip", "compile", *OPTIONS]
    for name, own in LOCKS.items():
        files = [f"{name}.in", "-o", f"{name}.txt", "--custom-compile-command", "make lock"]
        subprocess.run([*uv, *files, *own, *arguments], cwd=FOLDER, env=env, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
