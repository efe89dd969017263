"""Accounts in memory and in a real Valkey: what is true of the ones is true of the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from llmitm.policy.accounts import Accounts
from tests.support.valkey import Stored, url_of, valkey

Backend = Callable[[float], Accounts | Stored]


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    with valkey() as server:
        yield url_of(server)


@pytest.fixture(params=["memory", "valkey"])
def accounts_with(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """Makes accounts that nobody has used, with a lease of so many seconds."""
    made: list[Stored] = []

    def make(lease: float) -> Accounts | Stored:
        if request.param == "memory":
            return Accounts(lease)
        stored = Stored(request.getfixturevalue("valkey_url"), lease)
        stored.forget()
        made.append(stored)
        return stored

    yield make
    for stored in made:
        stored.close()


@pytest.fixture
def accounts(accounts_with: Backend) -> Accounts | Stored:
    """Accounts whose leases don't end during a test."""
    return accounts_with(1e9)
