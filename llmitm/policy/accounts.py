"""All of a call's allowances at once: every one has room, or nothing is taken.

What is taken is the worst case, and is settled for what was used once the call is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from llmitm.policy.account import Account, Allowance, Level
from llmitm.policy.leases import Leases

LEASE = 900.0  # seconds
SWEEP = 1024  # accounts before idle ones are looked for


@dataclass(slots=True, eq=False)
class Grant:
    """What one call took at a time: settle it once, whatever came of the call.

    `levels` are those of the allowances, in their order, after it was taken.
    """

    allowances: Sequence[Allowance]
    costs: Sequence[int]
    at: float
    expires: float
    levels: list[Level]
    id: str = ""
    open: bool = True


class Shortage(NamedTuple):
    """The allowance that has no room, the one that has it last where there are several.

    `at` is when there will be room as far as time alone makes it, infinity where it does not;
    `now` is when it was asked for. `position` is the allowance's place among `levels`.
    """

    allowance: Allowance
    position: int
    cost: int
    at: float
    now: float
    levels: list[Level]

    @property
    def remaining(self) -> int:
        return max(0, self.allowance.amount - self.levels[self.position].spent)


class Unknown(NamedTuple):
    """Durable allowances whose use so far isn't known: `restore` them, then ask again."""

    allowances: list[Allowance]


Answer = Grant | Shortage | Unknown


class Accounts:
    """The accounts of all allowances, in memory. Nothing here awaits, so each call is atomic.

    `now` is one clock's seconds throughout. `lease` is how many of them a call may hold what it
    took of leased allowances while it is neither settled nor renewed.
    """

    def __init__(self, lease: float = LEASE) -> None:
        self._lease = lease
        self._accounts: dict[str, Account] = {}
        self._leases: Leases[Grant] = Leases()
        self._sweep_at = SWEEP

    def take(self, allowances: Sequence[Allowance], costs: Sequence[int], now: float) -> Answer:
        """Take each cost from its allowance, or nothing from any. What costs nothing is given."""
        if self._leases.first <= now:
            self._lapse(now)
        if len(self._accounts) >= self._sweep_at:
            self._sweep(now)
        find, accounts, unknown, fits = self._accounts.get, [], [], True
        for allowance, cost in zip(allowances, costs, strict=True):
            account = find(allowance.id)
            if account is None or account.first <= now:
                account = self._account(allowance.id, now)
            accounts.append(account)
            if account.spent + cost > allowance.amount and cost:
                fits = False
            if not account.restored and allowance.durable:
                unknown.append(allowance)
        if unknown:
            return Unknown(unknown)
        if not fits:
            return _shortage(allowances, accounts, costs, now)
        return self._grant(allowances, accounts, costs, now)

    def settle(self, grant: Grant, used: Sequence[int], now: float) -> list[Level]:
        """The call is over and used so much. Counts the first time only.

        It is booked where it was taken: at the time of the call's start, as the ledger has it,
        so that a call over midnight is yesterday's.
        """
        first, grant.open = grant.open, False
        if not first:
            return [self.level(allowance, now) for allowance in grant.allowances]
        self._leases.drop(grant)
        return self._correct(grant, used, now)

    def renew(self, grant: Grant, now: float) -> None:
        """The call is still running: it may hold what it holds for another lease."""
        grant.expires = now + self._lease
        self._leases.renewed(grant)

    def level(self, allowance: Allowance, now: float) -> Level:
        if self._leases.first <= now:
            self._lapse(now)
        return self._account(allowance.id, now).level()

    def restore(self, allowance: Allowance, used: Iterable[tuple[float, int]], now: float) -> bool:
        """Begin with what the ledger says: times and amounts. False where a beginning was made."""
        account = self._account(allowance.id, now)
        if account.restored:
            return False
        account.restored = True
        for at, amount in used:
            self.book(allowance, amount, at, now)
        return True

    def book(self, allowance: Allowance, amount: int, at: float, now: float) -> None:
        """Count what was used `at` a time."""
        until = allowance.until(at)
        account = self._account(allowance.id, now)
        if until > now:
            account.book(until, amount)

    def _grant(
        self,
        allowances: Sequence[Allowance],
        accounts: Sequence[Account],
        costs: Sequence[int],
        now: float,
    ) -> Grant:
        leased = False
        levels: list[Level] = []
        width, until = None, 0.0  # most windows are of one length
        for allowance, account, cost in zip(allowances, accounts, costs, strict=True):
            if allowance.width != width or width is None:
                width, until = allowance.width, allowance.until(now)
            if allowance.leased:
                account.held += cost
                leased = True
            levels.append(account.book(until, cost))
        grant = Grant(allowances, costs, now, now + self._lease, levels)
        if leased:
            self._leases.add(grant)
        return grant

    def _correct(self, grant: Grant, used: Sequence[int], now: float) -> list[Level]:
        levels: list[Level] = []
        width, until = None, 0.0
        for allowance, cost, amount in zip(grant.allowances, grant.costs, used, strict=True):
            account = self._account(allowance.id, now)
            if allowance.leased:
                account.held -= cost
            if amount != cost and (allowance.width != width or width is None):
                width, until = allowance.width, allowance.until(grant.at)
            levels.append(account.book(until, amount - cost if until > now else 0))
        return levels

    def _lapse(self, now: float) -> None:
        """Give back what leased allowances gave out to calls that were lost.

        Such a grant stays open: should the call be settled later, what it used is still booked.
        """
        for grant in self._leases.expired(now):
            pairs = zip(grant.allowances, grant.costs, strict=True)
            kept = [0 if allowance.leased else cost for allowance, cost in pairs]
            self._correct(grant, kept, now)
            grant.costs = kept

    def _account(self, name: str, now: float) -> Account:
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = Account()
        if account.first <= now:
            account.roll(now)
        return account

    def _sweep(self, now: float) -> None:
        """Forget accounts at rest, but not what was restored of durable allowances."""
        for name, account in list(self._accounts.items()):
            account.roll(now)
            if not account.spent and not account.restored:
                del self._accounts[name]
        self._sweep_at = max(SWEEP, 2 * len(self._accounts))


def _shortage(
    allowances: Sequence[Allowance],
    accounts: Sequence[Account],
    costs: Sequence[int],
    now: float,
) -> Shortage:
    """The last to have room of the allowances that have none."""
    position, at = -1, -inf
    for index, (allowance, cost) in enumerate(zip(allowances, costs, strict=True)):
        excess = accounts[index].spent + cost - allowance.amount
        if not cost or excess <= 0:
            continue
        free_at = inf if cost > allowance.amount else accounts[index].free_at(excess)
        if free_at > at:
            position, at = index, free_at
    levels = [account.level() for account in accounts]
    return Shortage(allowances[position], position, costs[position], at, now, levels)
