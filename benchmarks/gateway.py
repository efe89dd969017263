"""The gateway, every default addon on, against a stock `mitmdump --mode reverse`, side by side.

Rounds alternate between the two, so that a machine that changes its speed slows both. The floor
is 2.5 times the requests per second and half of the added median latency.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.load import KEY, Result

ROUNDS = 3
SECONDS = 4.0
FLOOR_THROUGHPUT, FLOOR_LATENCY = 2.5, 0.5

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
def process(*command: str) -> Iterator[psutil.Process]:
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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


def main() -> None:
    console = Console()
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
        stock_port = free_port()
        mitmdump = str(Path(sys.executable).with_name("mitmdump"))
        mode = f"reverse:http://127.0.0.1:{upstream}"
        listen = ("--listen-host", "127.0.0.1", "--listen-port", str(stock_port))
        stock = stack.enter_context(process(mitmdump, "-q", "--mode", mode, *listen))
        wait_listening(stock_port)
        measured = {
            scenario: _measure(upstream, port, stock_port, connections, mode)
            for scenario, connections, mode in (
                ("32 connections", 32, "whole"),
                ("1 connection", 1, "whole"),
                ("8 streams", 8, "stream"),
            )
        }
        memory = gateway.memory_info().rss, stock.memory_info().rss
    _report(console, measured, memory)


def _measure(
    upstream: int, gateway: int, stock: int, connections: int, mode: str
) -> dict[str, list[Result]]:
    results: dict[str, list[Result]] = {"direct": [], "llmitm": [], "mitmdump": []}
    for _ in range(ROUNDS):
        for name, port in (("direct", upstream), ("llmitm", gateway), ("mitmdump", stock)):
            results[name].append(load(port, connections, mode))
    return results


def _median(results: list[Result], name: str) -> float:
    return float(statistics.median(getattr(result, name) for result in results))


def _report(
    console: Console, measured: dict[str, dict[str, list[Result]]], memory: tuple[int, int]
) -> None:
    table = Table("median of rounds", "no proxy", "llmitm", "mitmdump", "llmitm / mitmdump")

    def row(title: str, scenario: str, name: str, digits: int) -> None:
        direct, ours, stock = (_median(r, name) for r in measured[scenario].values())
        table.add_row(
            title, *(f"{v:,.{digits}f}" for v in (direct, ours, stock)), f"{ours / stock:.2f}"
        )

    row("requests/s, 32 connections", "32 connections", "rate", 0)
    row("p50 ms, 1 connection", "1 connection", "p50", 3)
    row("p99 ms, 1 connection", "1 connection", "p99", 3)
    row("events/s, 8 streams", "8 streams", "events_rate", 0)
    ours, stock = (size / 2**20 for size in memory)
    table.add_row("resident MiB", "", f"{ours:.0f}", f"{stock:.0f}", f"{ours / stock:.2f}")
    console.print(table)
    rates = measured["32 connections"]
    throughput = _median(rates["llmitm"], "rate") / _median(rates["mitmdump"], "rate")
    single = {name: _median(results, "p50") for name, results in measured["1 connection"].items()}
    added = (single["llmitm"] - single["direct"]) / (single["mitmdump"] - single["direct"])
    console.print(f"throughput {throughput:.2f}× (floor {FLOOR_THROUGHPUT}×)")
    console.print(f"added p50 {added:.2f}× (floor {FLOOR_LATENCY}×)")
    if throughput < FLOOR_THROUGHPUT or added > FLOOR_LATENCY:
        sys.exit("below the floor")


if __name__ == "__main__":
    main()
