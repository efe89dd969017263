"""A gateway of several workers, in processes of its own, and who serves whom in it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import psutil

from tests.support import process
from tests.support.rig import CHAT
from tests.support.wire import Message, Peer, chat, connect, request

WORKERS = 2
SECONDS = 60
PAUSE = 0.05  # so that looking does not take what the gateway needs


def until[T](find: Callable[[], T], seconds: float = SECONDS) -> T:
    """What `find` gives once that is anything. Raises AssertionError where it never is."""
    deadline = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < deadline
        time.sleep(PAUSE)
    return found


@dataclass
class Fleet:
    """`process` is the supervisor's, `ledger` and `shared` are the URLs of its stores."""

    process: process.Process
    directory: Path
    ledger: str
    shared: str

    def __post_init__(self) -> None:
        self.admin = httpx.Client(base_url=self.process.admin_url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.admin.close()
        self.process.terminate()
        with self.process:
            self.process.ended()

    @property
    def url(self) -> str:
        return self.process.url

    @property
    def config(self) -> str:
        return str(self.directory / "gateway.yaml")

    @property
    def pids(self) -> list[int]:
        """The workers' processes."""
        children = psutil.Process(self.process.popen.pid).children()
        return [p.pid for p in children if "llmitm.workers.worker" in p.cmdline()]

    @property
    def complete(self) -> bool:
        """Whether all workers accept calls."""
        detail = self.admin.get("/readyz").json()["detail"]
        return bool(detail["workers"] == f"{WORKERS} of {WORKERS} ready")

    def settle(self) -> Self:
        """Wait until all workers accept calls."""
        until(lambda: self.complete)
        return self

    def metric(self, name: str) -> float:
        """The sum of a metric's values."""
        return sum(self.metrics(name))

    def metrics(self, name: str, part: str = "") -> list[float]:
        """A metric's values, of the series whose labels have `part` in them."""
        lines = self.admin.get("/metrics").text.splitlines()
        found = (line for line in lines if line.startswith((f"{name} ", f"{name}{{")))
        return [float(line.rsplit(" ", 1)[1]) for line in found if part in line]

    def server_of(self, peer: Peer) -> int:
        """The process that serves a client."""
        ours = peer.socket.getsockname()[:2]
        for pid in self.pids:
            remote = {tuple(c.raddr) for c in psutil.Process(pid).net_connections("tcp")}
            if ours in remote:
                return pid
        raise AssertionError("no worker serves this client")

    def clients(self) -> dict[int, Peer]:
        """A connected client of each worker."""
        found: dict[int, Peer] = {}
        while len(found) < WORKERS:
            peer = connect(self.url)
            post(peer, "")  # whoever accepted the connection has answered on it
            if found.setdefault(self.server_of(peer), peer) is not peer:
                peer.close()
        return found

    def kill(self, pid: int) -> None:
        """kill -9 a worker, and wait until it is gone."""
        victim = psutil.Process(pid)
        os.kill(pid, signal.SIGKILL)
        until(lambda: not victim.is_running())


def post(peer: Peer, key: str, model: str = "m", **more: Any) -> Message:
    """The whole reply to a call on a client's connection."""
    send(peer, key, model, **more)
    return peer.message()


def send(peer: Peer, key: str, model: str = "m", **more: Any) -> None:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    peer.send(request("POST", CHAT, chat(model, **more), headers))


def start(
    directory: Path,
    provider_url: str,
    shared: str,
    policies: Mapping[str, Any],
    ledger: str = "",
    lease: float = 30,
    **more: Any,
) -> Fleet:
    """A gateway all of whose workers accept calls. `more` is for gateway.yaml."""
    ledger = ledger or f"sqlite:///{directory / 'ledger.db'}"
    store = {"ledger": ledger, "shared": shared, "lease": lease}
    settings = {"workers": WORKERS, "store": store, **more}
    running = process.start(directory, provider_url, settings, policies)
    return Fleet(running, directory, ledger, shared).settle()


def host_of(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 0)
