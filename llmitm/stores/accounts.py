"""The accounts of limits or of budgets, as a running gateway asks them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from llmitm.policy.account import Allowance, Level
from llmitm.policy.accounts import Accounts, Answer, Grant, Shortage, Unknown
from llmitm.stores.errors import LedgerError

logger = logging.getLogger(__name__)

Spent = Iterable[tuple[float, int]]
# What the ledger says was used of an allowance before a moment: times and amounts.
# Raises LedgerError.
History = Callable[[Any, float], Awaitable[Spent]]

RENEW_SECONDS = 10.0  # a small part of a lease in memory
HISTORY_SECONDS = 2.0  # how long a call waits for the ledger, unless that says that it is away
RETRY_SECONDS = 5.0


async def no_history(_allowance: Any, _moment: float) -> Spent:
    """Of what isn't kept nothing is known."""
    return ()


@dataclass(slots=True, eq=False)
class Learning:
    """The ledger is asked. `heard` is done when it first answers, if only that it is away."""

    task: asyncio.Task[None]
    heard: asyncio.Future[None]

    def hear(self, _task: object = None) -> None:
        if not self.heard.done():
            self.heard.set_result(None)


class AccountStore:
    """Takes and settles in this process's memory.

    `clock` gives the time. What is durable begins with what its `history` says. What running
    calls hold is renewed every `renew` seconds.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        history: History = no_history,
        *,
        renew: float = RENEW_SECONDS,
    ) -> None:
        self._clock = clock
        self._renew_seconds = renew
        self._history = history
        self._local = Accounts()
        # The calls that run, and where what they took is settled: None for elsewhere.
        self._open: dict[Grant, Accounts | None] = {}
        self._learning: dict[str, Learning] = {}
        self._unlearned: set[str] = set()
        self._beginning = asyncio.Lock()

    async def take(self, allowances: Sequence[Allowance], costs: Sequence[int]) -> Grant | Shortage:
        """Take each cost from its allowance, or nothing from any."""
        answer = await self._ask(allowances, costs)
        while isinstance(answer, Unknown):
            await self.learn(answer.allowances)
            answer = await self._ask(allowances, costs)
        return answer

    async def settle(self, grant: Grant, used: Sequence[int]) -> list[Level]:
        """The call is over and used so much: the levels of its allowances after that."""
        home = self._open.pop(grant, None) or self._local
        return home.settle(grant, used, self._clock())

    async def level(self, allowance: Allowance) -> Level:
        return self._local.level(allowance, self._clock())

    async def learn(self, allowances: Iterable[Allowance]) -> None:
        """Ask the ledger what was used; where it doesn't say in time, begin with nothing.

        What it says later is added then.
        """
        wanted = list(allowances)
        learning = [self._learning_of(allowance) for allowance in wanted]
        await asyncio.wait([each.heard for each in learning], timeout=HISTORY_SECONDS)
        for allowance, each in zip(wanted, learning, strict=True):
            async with self._beginning:
                if not each.task.done() and await self._begin(allowance, ()):
                    self._unlearned.add(allowance.id)

    async def run(self) -> None:
        """Renew what running calls hold, until cancelled."""
        while True:
            await asyncio.sleep(self._renew_seconds)
            await self._renew()

    async def close(self) -> None:
        tasks = [each.task for each in self._learning.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, allowances: Sequence[Allowance], costs: Sequence[int]) -> Answer:
        return self._ask_local(allowances, costs)

    def _ask_local(self, allowances: Sequence[Allowance], costs: Sequence[int]) -> Answer:
        answer = self._local.take(allowances, costs, self._clock())
        if isinstance(answer, Grant):
            self._open[answer] = self._local
        return answer

    async def _renew(self) -> None:
        now = self._clock()
        for grant, home in self._open.items():
            if home is not None:
                home.renew(grant, now)

    async def _begin(self, allowance: Allowance, used: Spent) -> bool:
        """Begin the account of a durable allowance; False where that was done."""
        return self._local.restore(allowance, used, self._clock())

    async def _add(self, allowance: Allowance, used: Spent) -> None:
        """Count what became known after the account was begun."""
        now = self._clock()
        for at, amount in used:
            self._local.book(allowance, amount, at, now)

    def _learning_of(self, allowance: Allowance) -> Learning:
        learning = self._learning.get(allowance.id)
        if learning is None:
            task = asyncio.create_task(self._learn(allowance), name=f"history of {allowance.id}")
            learning = Learning(task, asyncio.get_running_loop().create_future())
            self._learning[allowance.id] = learning
            task.add_done_callback(learning.hear)
            task.add_done_callback(lambda _: self._learning.pop(allowance.id, None))
        return learning

    async def _learn(self, allowance: Allowance) -> None:
        moment = time.time()
        used = await self._patient_history(allowance, moment)
        async with self._beginning:
            if allowance.id not in self._unlearned:
                await self._begin(allowance, used)
            else:
                self._unlearned.discard(allowance.id)
                await self._add(allowance, used)

    async def _patient_history(
        self, allowance: Allowance, moment: float
    ) -> list[tuple[float, int]]:
        """What was used before `moment`, whenever the ledger can be read."""
        failures = 0
        while True:
            try:
                return list(await self._history(allowance, moment))
            except LedgerError as fault:
                failures += 1
                if failures == 1:
                    continue  # only its connection may have been lost
                if failures == 2:
                    logger.warning("what was spent of %s isn't known yet: %s", allowance.id, fault)
                self._learning[allowance.id].hear()
                await asyncio.sleep(RETRY_SECONDS)
