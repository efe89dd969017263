"""`make bench`: the gateway against a stock mitmdump, then the single mechanisms."""

from __future__ import annotations

import runpy

from benchmarks import gateway

MECHANISMS = ("breaker", "admission", "inspector")

if __name__ == "__main__":
    gateway.main()
    for name in MECHANISMS:
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")
