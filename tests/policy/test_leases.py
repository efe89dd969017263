"""What is held ends with its lease."""

from __future__ import annotations

from dataclasses import dataclass

from llmitm.policy.leases import Leases


@dataclass(eq=False)
class Held:
    expires: float
    open: bool = True


def test_gives_what_is_open_and_over() -> None:
    """In the order of expiry, once, without what was closed."""
    leases: Leases[Held] = Leases()
    late, early, closed = Held(20), Held(10), Held(5, open=False)
    for lease in (late, early, closed):
        leases.add(lease)
    assert list(leases.expired(9)) == []
    assert list(leases.expired(30)) == [early, late]
    assert list(leases.expired(30)) == []


def test_a_renewed_lease_lives_on() -> None:
    """A lease whose time was moved on is given when the new time is over."""
    leases: Leases[Held] = Leases()
    lease = Held(10)
    leases.add(lease)
    lease.expires = 20
    assert list(leases.expired(15)) == []
    assert list(leases.expired(20)) == [lease]
