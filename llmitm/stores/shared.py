"""The state that calls are decided by: limits, budgets, and circuits that others opened."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

from llmitm.config.gateway import Store
from llmitm.stores.accounts import AccountStore
from llmitm.stores.database import open_database
from llmitm.stores.link import Link
from llmitm.stores.remote_accounts import SCRIPTS, RemoteAccounts
from llmitm.stores.shared_accounts import SharedAccountStore
from llmitm.stores.shared_circuits import SharedCircuits
from llmitm.stores.spending import Spending

MEMORY = "memory"
FLUSH_SECONDS = 1.0
RENEWALS = 3  # in each lease


class Shared:
    """In this process's memory, or in the Redis or Valkey of `store` while that answers.

    `flush(seconds)` brings the ledger up to date and may block. `follow` hears of circuits that
    other processes opened or closed.
    """

    def __init__(
        self,
        store: Store,
        flush: Callable[[float], bool],
        follow: Callable[[str, bool], None],
    ) -> None:
        async def flushed() -> None:
            await asyncio.to_thread(flush, FLUSH_SECONDS)

        self._spending = Spending(open_database(store.ledger), flushed)
        self._link: Link | None = None
        self._circuits: SharedCircuits | None = None
        self.linked: Callable[[bool], None] = lambda _up: None  # hears when `up` changes
        if store.shared == MEMORY:
            self.limits = AccountStore(time.monotonic)
            self.budgets = AccountStore(time.time, self._spending.before)
        else:
            self._link = link = Link(store.shared, SCRIPTS, self._linked)
            remote, renew = RemoteAccounts(link, store.lease), store.lease / RENEWALS
            self.limits = SharedAccountStore(remote, time.monotonic, renew=renew)
            self.budgets = SharedAccountStore(
                remote, time.time, self._spending.before, own_time=True, renew=renew
            )
            self._circuits = SharedCircuits(link, os.urandom(6).hex(), follow)

    @property
    def up(self) -> bool:
        """Whether the state is shared as it should be: false while the store is away."""
        return self._link is None or self._link.up

    def tell(self, target: str, opened: bool) -> None:
        """A circuit of this process opened or closed."""
        if self._circuits is not None:
            self._circuits.tell(target, opened)

    async def run(self, ready: asyncio.Event) -> None:
        """Follow the store and keep what running calls hold, until cancelled.

        `ready` is set once there is a store to ask, or none that answers.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.limits.run())
            tasks.create_task(self.budgets.run())
            if self._link is not None and self._circuits is not None:
                tasks.create_task(self._link.run())
                await self._link.tried.wait()
                tasks.create_task(self._circuits.run())
            ready.set()

    async def close(self) -> None:
        await self.limits.close()
        await self.budgets.close()
        await self._spending.close()

    def _linked(self, up: bool) -> None:
        for store in (self.limits, self.budgets):
            if isinstance(store, SharedAccountStore):
                store.linked(up)
        self.linked(up)
