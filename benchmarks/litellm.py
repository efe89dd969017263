"""The gateway, every default addon on, against LiteLLM's proxy, side by side.

`python -m benchmarks.litellm PROGRAM`, where PROGRAM is the `litellm` of an environment of its own:
it is no dependency of ours. It runs as one process too, with a master key, and without a database,
limits, a price of its own or a log line for each call, which the gateway has.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psutil
from rich.console import Console

from benchmarks.load import KEY
from benchmarks.side_by_side import compare, process, wait_for

_CONFIG = """\
model_list:
  - model_name: bench
    litellm_params:
      {{model: openai/bench, api_base: "http://127.0.0.1:{upstream}/v1", api_key: sk-up}}
general_settings: {{master_key: {key}}}
"""


@contextmanager
def litellm(program: str, port: int, upstream: int) -> Iterator[psutil.Process]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "config.yaml"
        path.write_text(_CONFIG.format(upstream=upstream, key=KEY))
        listen = ("--host", "127.0.0.1", "--port", str(port), "--num_workers", "1")
        quiet = {"LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION"}
        with process(program, "--config", str(path), *listen, **quiet) as running:
            wait_for(port, "/health/liveliness")
            yield running


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m benchmarks.litellm PATH_OF_LITELLM, the program of its package")
    console = Console()
    measured = compare("LiteLLM", partial(litellm, sys.argv[1]))
    measured.show(console)
    console.print(f"throughput {measured.throughput:.1f}×, added p50 {measured.added_latency:.3f}×")


if __name__ == "__main__":
    main()
