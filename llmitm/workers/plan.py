"""What each worker does of what the configuration asks of the gateway."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from llmitm.config.address import Address
from llmitm.config.load import Loaded

MEMORY_LEDGER = "sqlite:///:memory:"


def of_worker(loaded: Loaded, index: int, address: Address) -> Loaded:
    """The configuration of worker `index`, which listens with the others on `address`.

    mitmproxy's own listeners share no port, so they are the first worker's.
    """
    gateway = loaded.gateway
    update = {
        "gateway": address,
        "inspector": None,
        "intercept": gateway.listen.intercept if index == 0 else (),
    }
    listen = gateway.listen.model_copy(update=update)
    return replace(loaded, gateway=gateway.model_copy(update={"listen": listen}))


def warnings(loaded: Loaded) -> Iterator[str]:
    """What works less well, or not at all, with several workers."""
    if loaded.gateway.listen.inspector is not None:
        yield (
            "the inspector is off: it shows the calls of one process, and here are "
            f"{loaded.gateway.workers}; set workers: 1 to inspect calls"
        )
    if loaded.gateway.store.ledger == MEMORY_LEDGER:
        yield "each worker has a ledger of its own: it is in memory, use a file or PostgreSQL"
