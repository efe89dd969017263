"""Ports for processes that have to be told where to listen."""

from __future__ import annotations

import random
import socket

# Below the ports that systems hand out: no connection takes one before it is listened on.
PORTS = range(11_000, 32_000)
_DICE = random.SystemRandom()


def free_ports(count: int) -> list[int]:
    """Different ports that nobody listens on, drawn so that others at once draw other ones."""
    found: set[int] = set()
    while len(found) < count:
        port = _DICE.choice(PORTS)
        if _is_free(port):
            found.add(port)
    return list(found)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
