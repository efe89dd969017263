"""The gateway with its inspector on and off, side by side: what watching every call costs.

Rounds alternate between the two, so that a machine that changes its speed slows both. The floor
is 60 % of the requests per second. After the load the inspector holds no more calls than `keep`.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import msgspec
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.load import Result
from benchmarks.side_by_side import configure, free_port, load, process, wait_for, wait_listening

ROUNDS = 3
KEEP = 500
FLOOR = 0.60
SCENARIOS = (("requests/s, 32 connections", 32, "whole"), ("events/s, 8 streams", 8, "stream"))


def start(
    stack: ExitStack, directory: Path, upstream: int, inspector: int | None
) -> tuple[psutil.Process, int]:
    """A gateway, and the port it listens on."""
    directory.mkdir()
    path, port, admin = configure(directory, upstream)
    if inspector is not None:
        listen = f'inspector: "127.0.0.1:{inspector}"'
        text = path.read_text().replace("inspector: null", listen)
        path.write_text(f"{text}inspector: {{keep: {KEEP}}}\n")
    gateway = stack.enter_context(
        process(sys.executable, "-m", "llmitm.cli", "serve", "-c", str(path))
    )
    wait_for(admin, "/readyz")
    return gateway, port


def kept(inspector: int) -> int:
    """How many flows the inspector holds: a call and its attempt are two."""
    with urllib.request.urlopen(f"http://127.0.0.1:{inspector}/flows") as reply:
        return len(msgspec.json.decode(reply.read()))


def rate(results: list[Result], mode: str) -> float:
    name = "events_rate" if mode == "stream" else "rate"
    return float(statistics.median(getattr(result, name) for result in results))


def main() -> None:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream, inspector = free_port(), free_port()
        stack.enter_context(process(sys.executable, "-m", "benchmarks.upstream", str(upstream)))
        wait_listening(upstream)
        off, off_port = start(stack, directory / "off", upstream, None)
        on, on_port = start(stack, directory / "on", upstream, inspector)
        before = on.memory_info().rss
        rates, calls = [], 0
        for title, connections, mode in SCENARIOS:
            results: dict[int, list[Result]] = {off_port: [], on_port: []}
            for _ in range(ROUNDS):
                for port, found in results.items():
                    found.append(load(port, connections, mode))
            calls += sum(result.calls for result in results[on_port])
            rates.append((title, rate(results[off_port], mode), rate(results[on_port], mode)))
        memory = off.memory_info().rss, on.memory_info().rss
        flows = kept(inspector)
    report(rates, memory, calls, flows, before)


def report(
    rates: list[tuple[str, float, float]],
    memory: tuple[int, int],
    calls: int,
    flows: int,
    before: int,
) -> None:
    table = Table("median of rounds", "inspector off", "inspector on", "on / off")
    for title, off, on in rates:
        table.add_row(title, f"{off:,.0f}", f"{on:,.0f}", f"{on / off:.2f}")
    off_memory, on_memory = (size / 2**20 for size in memory)
    ratio = f"{on_memory / off_memory:.2f}"
    table.add_row("resident MiB", f"{off_memory:.0f}", f"{on_memory:.0f}", ratio)
    console = Console()
    console.print(table)
    grown = (memory[1] - before) / 2**20
    console.print(f"{calls:,} calls were watched, {flows} flows are kept; +{grown:.0f} MiB")
    share = rates[0][2] / rates[0][1]
    console.print(f"throughput {share:.0%} of off (floor {FLOOR:.0%})")
    if share < FLOOR or flows > 2 * KEEP:
        sys.exit("below the floor")


if __name__ == "__main__":
    main()
