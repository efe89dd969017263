"""Appends calls to a ledger until it is killed, and prints each one's id and when it ended."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from llmitm.stores.ledger import open_ledger
from tests.stores.records import make


def main(url: str, spool: str) -> None:
    ledger = open_ledger(url, Path(spool), wait=1)
    while True:
        call = make()
        ledger.append(call)
        print(call.request_id, time.monotonic(), flush=True)
        time.sleep(0.003)


if __name__ == "__main__":
    main(*sys.argv[1:])
