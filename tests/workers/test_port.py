"""The gateway's port, held while workers come and go."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from llmitm.config.address import Address
from llmitm.workers.port import held

ANY = Address("127.0.0.1", 0)


@contextmanager
def listener(address: Address, *, shared: bool) -> Iterator[Address]:
    with socket.socket() as sock:
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((address.host, address.port))
        sock.listen()
        yield Address(*sock.getsockname())


def test_workers_share_it() -> None:
    """Two listen on the port that the system chose; before that, connections are refused."""
    with held(ANY) as address:
        assert address.port
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address.host, address.port))
        with listener(address, shared=True), listener(address, shared=True):
            socket.create_connection((address.host, address.port)).close()


def test_others_are_kept_off() -> None:
    """Nobody but workers can listen on a held port, and once they do nobody can hold it."""
    with held(ANY) as address:
        with pytest.raises(OSError, match="in use"), listener(address, shared=False):
            pass
        with (
            listener(address, shared=True),
            pytest.raises(OSError, match="in use"),
            held(address),
        ):
            pass


@pytest.mark.parametrize("shared", [False, True])
def test_taken(shared: bool) -> None:
    """A port that someone listens on can't be held, be it with SO_REUSEPORT."""
    with (
        listener(ANY, shared=shared) as address,
        pytest.raises(OSError, match="in use"),
        held(address),
    ):
        pass


def test_every_address_of_a_name() -> None:
    """A name with several addresses is held on one port of all of them."""
    with held(Address("localhost", 0)) as address:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        for family, _, _, _, where in found:
            with socket.socket(family) as sock, pytest.raises(OSError, match="in use"):
                sock.bind(where)


def test_given_back() -> None:
    """The port is free once the context is left."""
    with held(ANY) as address:
        pass
    with listener(address, shared=False):
        pass
