"""What each worker does of what the configuration asks of the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from llmitm.config.load import Loaded
from llmitm.config.schema import Listen

MEMORY_LEDGER = "sqlite:///:memory:"


def of_worker(loaded: Loaded, index: int, listen: Listen) -> Loaded:
    """The configuration of worker `index`, where the gateway as a whole listens on `listen`.

    mitmproxy's own listeners share no port, so they are the first worker's. Each keeps its share
    of the calls that the inspector shows.
    """
    gateway = loaded.gateway
    share = -(-gateway.inspector.keep // gateway.workers)
    update = {
        "listen": listen.model_copy(update={"intercept": listen.intercept if index == 0 else ()}),
        "inspector": gateway.inspector.model_copy(update={"keep": share}),
    }
    return replace(loaded, gateway=gateway.model_copy(update=update))


def warnings(loaded: Loaded) -> Iterator[str]:
    """What works less well, or not at all, with several workers."""
    if loaded.gateway.store.ledger == MEMORY_LEDGER:
        yield "each worker has a ledger of its own: it is in memory, use a file or PostgreSQL"
