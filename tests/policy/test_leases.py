"""What is held ends with its lease."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from llmitm.policy.leases import Leases


@dataclass(eq=False)
class Held:
    expires: float


def held(*expiries: float) -> tuple[Leases[Held], list[Held]]:
    leases: Leases[Held] = Leases()
    each = [Held(expires) for expires in expiries]
    for lease in each:
        leases.add(lease)
    return leases, each


def test_gives_what_is_held_and_over() -> None:
    """In the order of expiry, once, without what was given back."""
    leases, (closed, early, late) = held(5, 10, 20)
    leases.drop(closed)
    assert list(leases.expired(9)) == []
    assert list(leases.expired(10)) == [early]
    assert leases.first == 20
    assert list(leases.expired(30)) == [late]
    assert list(leases.expired(30)) == []
    assert leases.first == inf


def test_a_renewed_lease_lives_on() -> None:
    """A lease whose time was moved on is given when the new time is over."""
    leases, (lease, other) = held(10, 12)
    lease.expires = 20
    leases.renewed(lease)
    assert list(leases.expired(15)) == [other]
    assert list(leases.expired(20)) == [lease]


def test_what_is_over_is_not_begun_again() -> None:
    """To renew or give back what isn't held any more does nothing."""
    leases, (lease,) = held(10)
    assert list(leases.expired(10)) == [lease]
    leases.renewed(lease)
    leases.drop(lease)
    assert len(leases) == 0


def test_what_was_given_back_takes_no_memory() -> None:
    """Nothing is kept of it for the rest of its lease."""
    leases, each = held(*range(100))
    for lease in each[1:]:
        leases.drop(lease)
    assert len(leases) == 1
