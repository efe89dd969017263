"""The accounts of all allowances, in the shared store: each call is one script, so atomic."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Sequence
from itertools import count

from llmitm.policy.account import Allowance, Level
from llmitm.policy.accounts import Answer, Grant, Shortage, Unknown
from llmitm.stores.link import Link
from llmitm.stores.lua import script
from llmitm.stores.resp import Argument, Reply

LEASE = 30.0  # seconds
TAKE, SETTLE, RENEW, RESTORE, LEVEL = map(script, ("take", "settle", "renew", "restore", "level"))
SCRIPTS = (TAKE, SETTLE, RENEW, RESTORE, LEVEL)
# In braces, so that a cluster keeps all of them in one place.
_PREFIX = "{llmitm}"


class RemoteAccounts:
    """Does what `Accounts` does, for all processes of a store. Methods raise StoreDown.

    `now` and `lease` are as for `Accounts`; where `now` is None the store's own clock counts.
    """

    def __init__(self, link: Link, lease: float = LEASE) -> None:
        self._link = link
        self._lease = lease
        self._process = os.urandom(6).hex()
        self._numbers = count()

    async def take(
        self, allowances: Sequence[Allowance], costs: Sequence[int], now: float | None = None
    ) -> Answer:
        name = self.name()
        arguments: list[Argument] = [_time(now), _number(self._lease), name]
        for allowance, cost in zip(allowances, costs, strict=True):
            until = b"" if allowance.width and now is None else _number(allowance.until(now or 0.0))
            arguments += [
                allowance.amount,
                cost,
                b"" if allowance.width is None else _number(allowance.width),
                until,
                int(allowance.leased),
                int(allowance.durable),
            ]
        reply = self._link.run_script(TAKE, _keys(allowances), arguments)
        try:
            return self._answer(await asyncio.shield(reply), allowances, costs, name)
        except asyncio.CancelledError:
            reply.add_done_callback(lambda done: self._abandon(done, allowances, costs, name))
            raise

    def name(self) -> str:
        """A grant's name, unlike any other's."""
        return f"{self._process}-{next(self._numbers)}"

    async def settle(
        self, grant: Grant, used: Sequence[int], now: float | None = None
    ) -> list[Level]:
        return _levels(_words(await self._settle(grant, used, now)))

    async def renew(self, grants: Iterable[Grant], now: float | None = None) -> None:
        leases = [
            (grant, allowance, cost)
            for grant in grants
            for allowance, cost in zip(grant.allowances, grant.costs, strict=True)
            if allowance.leased
        ]
        if not leases:
            return
        keys = _keys([allowance for _, allowance, _ in leases])
        members = [
            b"%b:%d:%b" % (grant.id.encode(), cost, _number(allowance.until(grant.at)))
            for grant, allowance, cost in leases
        ]
        await self._link.run_script(RENEW, keys, [_time(now), _number(self._lease), *members])

    async def restore(
        self, allowance: Allowance, used: Iterable[tuple[float, int]], now: float
    ) -> bool:
        pairs: list[Argument] = []
        for at, amount in used:
            pairs += [_number(allowance.until(at)), amount]
        arguments = [_time(now), _number(allowance.until(now)), *pairs]
        return await self._link.run_script(RESTORE, _keys([allowance]), arguments) == 1

    async def level(self, allowance: Allowance, now: float | None = None) -> Level:
        reply = await self._link.run_script(
            LEVEL, _keys([allowance]), [_time(now), int(allowance.leased)]
        )
        return _levels(_words(reply))[0]

    def _answer(
        self, reply: Reply, allowances: Sequence[Allowance], costs: Sequence[int], name: str
    ) -> Answer:
        status, now, *words = _words(reply)
        match status:
            case "unknown":
                return Unknown([allowances[int(word) - 1] for word in words])
            case "short":
                position = int(words[0]) - 1
                allowance, cost = allowances[position], costs[position]
                levels = _levels(words[2:])
                return Shortage(allowance, position, cost, float(words[1]), float(now), levels)
        at = float(now)
        return Grant(allowances, costs, at, at + self._lease, _levels(words), id=name)

    def _abandon(
        self,
        done: asyncio.Future[Reply],
        allowances: Sequence[Allowance],
        costs: Sequence[int],
        name: str,
    ) -> None:
        """The client left while the store was asked: give back what it was granted."""
        if done.cancelled() or done.exception() is not None or not self._link.up:
            return
        answer = self._answer(done.result(), allowances, costs, name)
        if isinstance(answer, Grant):
            self._settle(answer, [0] * len(costs), None)

    def _settle(
        self, grant: Grant, used: Sequence[int], now: float | None
    ) -> asyncio.Future[Reply]:
        keys = [f"{_PREFIX}:settled:{grant.id}", *_keys(grant.allowances)]
        arguments: list[Argument] = [_time(now), grant.id]
        for allowance, cost, amount in zip(grant.allowances, grant.costs, used, strict=True):
            until = _number(allowance.until(grant.at))
            arguments += [cost, amount, until, int(allowance.leased), int(allowance.durable)]
        return self._link.run_script(SETTLE, keys, arguments)


def _keys(allowances: Iterable[Allowance]) -> list[str]:
    keys = []
    for allowance in allowances:
        keys += [f"{_PREFIX}:account:{allowance.id}", f"{_PREFIX}:leases:{allowance.id}"]
    return keys


def _number(value: float) -> bytes:
    return b"%.17g" % value


def _time(now: float | None) -> bytes:
    return b"" if now is None else _number(now)


def _words(reply: Reply) -> list[str]:
    if not isinstance(reply, bytes):
        raise TypeError(f"a script answered {reply!r}")
    return reply.decode().split(" ")


def _levels(words: Sequence[str]) -> list[Level]:
    return [
        Level(int(words[i]), int(words[i + 1]), float(words[i + 2]))
        for i in range(0, len(words), 3)
    ]
