"""The gateway, every default addon on, against a stock `mitmdump --mode reverse`, side by side.

The floor is 2.5 times the requests per second and half of the added median latency.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from rich.console import Console

from benchmarks.side_by_side import compare, process, wait_listening

FLOOR_THROUGHPUT, FLOOR_LATENCY = 2.5, 0.5


@contextmanager
def mitmdump(port: int, upstream: int) -> Iterator[psutil.Process]:
    program = str(Path(sys.executable).with_name("mitmdump"))
    mode = f"reverse:http://127.0.0.1:{upstream}"
    listen = ("--listen-host", "127.0.0.1", "--listen-port", str(port))
    with process(program, "-q", "--mode", mode, *listen) as running:
        wait_listening(port)
        yield running


def main() -> None:
    console = Console()
    measured = compare("mitmdump", mitmdump)
    measured.show(console)
    throughput, added = measured.throughput, measured.added_latency
    console.print(f"throughput {throughput:.2f}× (floor {FLOOR_THROUGHPUT}×)")
    console.print(f"added p50 {added:.2f}× (floor {FLOOR_LATENCY}×)")
    if throughput < FLOOR_THROUGHPUT or added > FLOOR_LATENCY:
        sys.exit("below the floor")


if __name__ == "__main__":
    main()
