"""Proxies on one upstream, side by side: rounds alternate between them.

So a machine that changes its speed slows all of them alike.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.load import KEY, Result

ROUNDS = 9
SECONDS = 2.0
_GATEWAY = """\
listen: {{gateway: "127.0.0.1:{port}", admin: "127.0.0.1:{admin}", inspector: null}}
providers: {{bench: {{api: openai, base_url: "http://127.0.0.1:{upstream}/v1", api_key: sk-up}}}}
store: {{ledger: "sqlite:///bench.db", shared: memory}}
policies: .
"""
_ROUTES = "routes: [{model: bench, targets: [{provider: bench}]}]\n"
_KEYS = f"""\
keys:
  - {{id: bench, key: {KEY}, models: [bench],
     limits: {{requests_per_minute: 10000000, tokens_per_minute: 10000000000, concurrent: 1000}}}}
"""
_PRICES = """\
prices: [{provider: bench, model: "*", input_per_million: 1, output_per_million: 2}]
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(*command: str, **environment: str) -> Iterator[psutil.Process]:
    running = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    try:
        yield psutil.Process(running.pid)
    finally:
        running.terminate()
        running.wait(30)


def wait_for(port: int, path: str = "/") -> None:
    """Until something answers HTTP on `port`."""
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"nothing answers on port {port}")


def wait_listening(port: int) -> None:
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"nothing listens on port {port}")


def load(port: int, connections: int, mode: str) -> Result:
    command = [
        sys.executable,
        "-m",
        "benchmarks.load",
        str(port),
        str(connections),
        str(SECONDS),
        mode,
    ]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result = Result(**json.loads(out))
    if result.failures or not result.calls:
        raise RuntimeError(f"{result.failures} of {result.calls} calls failed")
    return result


def configure(directory: Path, upstream: int) -> tuple[Path, int, int]:
    port, admin = free_port(), free_port()
    path = directory / "gateway.yaml"
    path.write_text(_GATEWAY.format(port=port, admin=admin, upstream=upstream))
    (directory / "routes.yaml").write_text(_ROUTES)
    (directory / "keys.yaml").write_text(_KEYS)
    (directory / "prices.yaml").write_text(_PRICES)
    return path, port, admin


# A peer's process, started for a port of its own and an upstream's, once it answers.
Start = Callable[[int, int], AbstractContextManager[psutil.Process]]

SCENARIOS = (
    ("32 connections", 32, "whole"),
    ("1 connection", 1, "whole"),
    ("8 streams", 8, "stream"),
)


@dataclass(frozen=True)
class Measured:
    """Medians over the rounds, and resident bytes, of the gateway and one peer."""

    peer: str
    results: Mapping[str, Mapping[str, list[Result]]]
    memory: Mapping[str, int]

    def median(self, scenario: str, proxy: str, name: str) -> float:
        return float(statistics.median(getattr(r, name) for r in self.results[scenario][proxy]))

    @property
    def throughput(self) -> float:
        """How many times the peer's requests a second the gateway makes: the median round's."""
        of = self.results["32 connections"]
        rounds = zip(of["llmitm"], of[self.peer], strict=True)
        return statistics.median(ours.rate / theirs.rate for ours, theirs in rounds)

    @property
    def added_latency(self) -> float:
        """The latency that the gateway adds, as a share of what the peer adds: the median round's.

        Of one round, so that a machine that changes its speed between rounds changes nothing.
        """
        of = self.results["1 connection"]
        rounds = zip(of["no proxy"], of["llmitm"], of[self.peer], strict=True)
        return statistics.median(
            (ours.p50 - direct.p50) / (theirs.p50 - direct.p50) for direct, ours, theirs in rounds
        )

    def show(self, console: Console) -> None:
        table = Table("median of rounds", "no proxy", "llmitm", self.peer, f"llmitm / {self.peer}")
        for title, scenario, name, digits in (
            ("requests/s, 32 connections", "32 connections", "rate", 0),
            ("p50 ms, 1 connection", "1 connection", "p50", 3),
            ("p99 ms, 1 connection", "1 connection", "p99", 3),
            ("SSE events/s, 8 streams", "8 streams", "events_rate", 0),
        ):
            direct, ours, theirs = (
                self.median(scenario, proxy, name) for proxy in ("no proxy", "llmitm", self.peer)
            )
            figures = (f"{value:,.{digits}f}" for value in (direct, ours, theirs))
            table.add_row(title, *figures, f"{ours / theirs:.2f}")
        ours, theirs = (self.memory[proxy] / 2**20 for proxy in ("llmitm", self.peer))
        table.add_row("resident MiB", "", f"{ours:.0f}", f"{theirs:.0f}", f"{ours / theirs:.2f}")
        console.print(table)


def compare(peer: str, start: Start) -> Measured:
    """The gateway, every default addon on, and `peer` on the same upstream."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = free_port()
        stack.enter_context(process(sys.executable, "-m", "benchmarks.upstream", str(upstream)))
        wait_listening(upstream)
        path, port, admin = configure(directory, upstream)
        gateway = stack.enter_context(
            process(sys.executable, "-m", "llmitm.cli", "serve", "-c", str(path))
        )
        wait_for(admin, "/readyz")
        peer_port = free_port()
        running = stack.enter_context(start(peer_port, upstream))
        ports = {"no proxy": upstream, "llmitm": port, peer: peer_port}
        results = {
            scenario: _rounds(ports, connections, mode) for scenario, connections, mode in SCENARIOS
        }
        memory = {"llmitm": _resident(gateway), peer: _resident(running)}
    return Measured(peer, results, memory)


def _rounds(ports: Mapping[str, int], connections: int, mode: str) -> dict[str, list[Result]]:
    results: dict[str, list[Result]] = {name: [] for name in ports}
    for _ in range(ROUNDS):
        for name, port in ports.items():
            results[name].append(load(port, connections, mode))
    return results


def _resident(running: psutil.Process) -> int:
    """Of a process and those that it started."""
    return sum(one.memory_info().rss for one in (running, *running.children(recursive=True)))
