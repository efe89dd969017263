"""A gateway in a process of its own, as `llmitm serve` starts it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import psutil
from ports import free_ports

from tests.support.gateway import DEFAULT_POLICIES, default_settings, write

START_SECONDS = 90
STOP_SECONDS = 60


@dataclass
class Process:
    """`url` and `admin_url` are where it listens; `log` is what it wrote to stdout."""

    popen: subprocess.Popen[bytes]
    url: str
    admin_url: str
    log: Path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait(STOP_SECONDS)

    @property
    def output(self) -> str:
        return self.log.read_text()

    @property
    def memory(self) -> int:
        """Resident bytes, of what only this process uses."""
        return int(psutil.Process(self.popen.pid).memory_full_info().uss)

    def terminate(self) -> None:
        self.popen.send_signal(signal.SIGTERM)

    def ended(self) -> int:
        """The exit code, once it has ended."""
        return self.popen.wait(STOP_SECONDS)


def start(
    directory: Path,
    provider_url: str,
    settings: Mapping[str, Any] | None = None,
    policies: Mapping[str, Any] | None = None,
    *,
    open_files: int | None = None,
) -> Process:
    """A gateway that answers already. `open_files` is the soft limit that it is started with."""
    merged = {**default_settings(provider_url), **(settings or {})}
    address, admin = (f"127.0.0.1:{port}" for port in free_ports(2))
    merged["listen"] = {**merged["listen"], "gateway": address, "admin": admin}
    config = write(directory, merged, {**DEFAULT_POLICIES, **(policies or {})})
    log, errors = directory / "output.log", directory / "errors.log"
    command = [sys.executable, "-m", "llmitm.cli", "serve", "-c", str(config)]
    with log.open("wb") as output, errors.open("wb") as complaints:
        popen = subprocess.Popen(
            command, stdout=output, stderr=complaints, env={**os.environ, "NO_COLOR": "1"}
        )
    if open_files is not None:
        _, most = resource.prlimit(popen.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(popen.pid, resource.RLIMIT_NOFILE, (open_files, most))
    process = Process(popen, f"http://{address}", f"http://{admin}", log)
    _await_ready(process)
    return process


def _await_ready(process: Process) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if httpx.get(f"{process.admin_url}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            if process.popen.poll() is not None or time.monotonic() > deadline:
                process.popen.kill()
                said = process.log.with_name("errors.log").read_text()
                raise AssertionError(f"the gateway did not start: {said}") from None
        time.sleep(0.05)
