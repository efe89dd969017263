"""The gateway's port, held by the supervisor while workers come and go."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from llmitm.config.address import Address


@contextmanager
def held(address: Address) -> Iterator[Address]:
    """Keep others off `address` while the context lasts; gives it with its real port.

    Nothing listens here: workers do, with SO_REUSEPORT. Raises OSError where it is taken.
    """
    with ExitStack() as stack:
        port = address.port
        found = socket.getaddrinfo(
            address.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, _, _, _, where in dict.fromkeys(found):
            place = (where[0], port, *where[2:])
            if port:
                _probe(family, place)
            kept = stack.enter_context(_bound(family, place, shared=True))
            port = kept.getsockname()[1]
        yield Address(address.host, port)


def _probe(family: int, where: tuple[str | int, ...]) -> None:
    """Fail where anyone listens, be it with SO_REUSEPORT: two gateways would share the calls."""
    _bound(family, where, shared=False).close()


def _bound(family: int, where: tuple[str | int, ...], *, shared: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(where)
    except OSError:
        sock.close()
        raise
    return sock
