"""A gateway in a network of its own, with the rights that mitmproxy's lower modes need."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from llmitm.proxy_mode import CA_CERTIFICATE
from tests.support.gateway import DEFAULT_POLICIES, KEY, default_settings, write
from tests.support.tools import tool

START_SECONDS = 90
STOP_SECONDS = 60
ADDRESS = "203.0.113.7"  # of no machine: whoever reaches it was redirected
BODY = '{"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}'
_USER = [] if os.geteuid() == 0 else ["--map-root-user"]
# cgroup v2 is where `local` looks for programs; where it can't be mounted, it is there or not.
# WireGuard's programs talk by sockets with the names of interfaces, which others may have too.
_BEGIN = """
ip link set lo up
ip route add default dev lo src 127.0.0.1
mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null
mount -t tmpfs none /run
exec "$@"
"""


@dataclass
class Island:
    """Its processes see one network that nobody else is in, and that ends with the gateway."""

    directory: Path
    popen: subprocess.Popen[bytes]
    others: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in [*self.others, self.popen]:
            process.terminate()
            process.wait(STOP_SECONDS)

    @property
    def ca(self) -> Path:
        return self.directory / "ca"

    @property
    def output(self) -> str:
        return (self.directory / "output.log").read_text()

    def within(self, *command: str) -> list[str]:
        """A command line that runs `command` beside the gateway."""
        user = ["--user", "--preserve-credentials"] if _USER else []
        target = ["--target", str(self.popen.pid), "--net", "--mount", *user]
        return [tool("nsenter"), *target, *command]

    def run(self, *command: str) -> str:
        """What a command beside the gateway prints. Raises CalledProcessError."""
        line = self.within(*command)
        return subprocess.run(line, check=True, text=True, capture_output=True).stdout

    def start(self, *command: str, env: Mapping[str, str]) -> None:
        """Run a command beside the gateway until the end."""
        self.others.append(subprocess.Popen(self.within(*command), env={**os.environ, **env}))

    def ask(self, *options: str, host: str = "api.openai.com", curl: str = "curl") -> list[str]:
        """Status and body of a chat that a program makes which knows of no proxy."""
        command = [
            tool("curl") if curl == "curl" else curl,
            *("-sS", "--connect-timeout", "10", "--max-time", "60"),
            *("--cacert", str(self.ca / CA_CERTIFICATE)),
            *("--resolve", f"{host}:443:{ADDRESS}", "--noproxy", "*"),
            *("-w", "%{stderr}%{http_code}", "-d", BODY, *options),
            f"https://{host}/v1/chat/completions",
        ]
        done = subprocess.run(self.within(*command), text=True, capture_output=True, check=False)
        return [done.stderr, done.stdout]

    def governed(self, curl: str = "curl") -> None:
        """A program with a key is served, one without is not, and nothing else passes."""
        # What listens may not yet be what connections are led to.
        deadline = time.monotonic() + START_SECONDS
        while (answer := self.ask("-H", f"authorization: Bearer {KEY}", curl=curl))[0] != "200":
            assert time.monotonic() < deadline, (answer, self.output)
        assert '"chat.completion"' in answer[1]
        assert self.ask(curl=curl)[0] == "401"
        assert self.ask(host="example.org", curl=curl)[0] == "403"


def start(directory: Path, mode: str) -> Island:
    """A gateway that listens. Where the kernel gives no such network the test fails as expected."""
    unshare = [tool("unshare"), "--net", "--mount", *_USER]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode:
        pytest.xfail("this machine gives no network namespaces")
    listen = {"gateway": "127.0.0.1:4000", "admin": "127.0.0.1:4001", "inspector": None}
    settings: dict[str, Any] = {
        **default_settings(""),
        "listen": {**listen, "intercept": [mode]},
        "intercept": {"ca": "ca"},
        "providers": {"sim": {"api": "simulator"}},
    }
    config = write(directory, settings, DEFAULT_POLICIES)
    serve = [sys.executable, "-m", "llmitm.cli", "serve", "-c", str(config)]
    command = [*unshare, "sh", "-c", _BEGIN, "sh", *serve]
    with (directory / "output.log").open("wb") as log:
        popen = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    island = Island(directory, popen)
    deadline = time.monotonic() + START_SECONDS
    while "the gateway listens on" not in island.output:
        if popen.poll() is not None or time.monotonic() > deadline:
            popen.kill()
            raise AssertionError(f"the gateway did not start: {island.output}")
        time.sleep(0.05)
    return island
